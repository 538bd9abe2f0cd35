import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Starts a Node program of the project and waits until its output matches; the match and how to end it. */
export async function startProcess(file, pattern, environment = {}, flags = []) {
  const child = spawn(process.execPath, [...flags, fileURLToPath(new URL(file, import.meta.url))], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const match = await new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const found = pattern.exec(output);
      if (found) resolve(found);
    });
    child.once('exit', () => reject(new Error(`${file} ended:\n${output}`)));
  });
  return {
    match,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** The flags of Node with which `npm start` starts it. */
function startFlags() {
  const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return scripts.start.split(' ').filter((word) => word.startsWith('--'));
}

/** A bare express server; its base URL. */
export const startBareExpress = () => startBare('./bare-express.mjs');

/** A bare `node:http` server; its base URL. */
export const startBareHttp = () => startBare('./bare-http.mjs');

async function startBare(file) {
  const { match, stop } = await startProcess(file, /listening on (\S+)/);
  return { url: match[1], stop };
}

/** Waybill as `npm start` runs it, on a data folder and on free ports, unless the environment says otherwise. */
export async function startWaybill(dataFolder, environment = {}) {
  const { match, stop } = await startProcess(
    '../bootstrap/start.mjs',
    /write API\s+(http:\S+)[\s\S]*read API\s+(http:\S+)/,
    { WAYBILL_DATA: dataFolder, WAYBILL_WRITE_PORT: '0', WAYBILL_READ_PORT: '0', ...environment },
    startFlags(),
  );
  return { writeUrl: match[1], readUrl: match[2], stop };
}
