import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where installed servers are kept between runs. */
export const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'waybill');

/**
 * Runs a server on a loopback port until this process is asked to end, and prints its address when it takes
 * connections. The command line is `[port] [folder]`: any free port and a folder that is deleted at the end, unless
 * they are named. `commandOf(port, folder)` gives the program and its arguments.
 */
export async function serve(scheme, commandOf) {
  const [wanted, named] = process.argv.slice(2);
  const port = wanted === undefined ? await freePort() : Number(wanted);
  const folder = named ?? mkdtempSync(join(tmpdir(), 'waybill-server-'));
  const [program, ...args] = commandOf(port, folder);
  const server = spawn(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill('SIGTERM'));
  server.once('error', (error) => process.stderr.write(`${program} cannot be run: ${error.message}\n`));
  server.once('close', (code) => {
    if (named === undefined) rmSync(folder, { recursive: true, force: true });
    process.exit(code ?? 0);
  });
  while (!(await isListening(port))) await sleep(50);
  process.stdout.write(`${scheme}://127.0.0.1:${port}\n`);
}

/** Below those that connections are given: one of those could be taken before the server is there. */
function freePort() {
  return new Promise((resolve) => {
    const port = randomInt(12_000, 32_000);
    const probe = createServer().once('error', () => resolve(freePort()));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(port)));
  });
}

function isListening(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
