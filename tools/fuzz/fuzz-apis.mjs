import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../bootstrap/root.mjs';
import { installSchemathesis, schemathesis } from './schemathesis.mjs';
import { makeThings } from './things.mjs';

/** Who asks: everything there is belongs to them. */
const sub = 'fuzz';

/** Who the fuzzer is, and for how many seconds at each API. Who may do everything gets furthest. */
const callers = [
  { name: 'every role', roles: ['operator', 'merchant', 'customer', 'courier', 'auditor'], seconds: 26 },
  { name: 'operator', roles: ['operator'], seconds: 10 },
  { name: 'customer', roles: ['customer'], seconds: 10 },
];

/**
 * Has Schemathesis ask both APIs of a whole server, from outside, as several callers: no 5xx, and no answer that the
 * OpenAPI document does not name. `installed` is where the fuzzer is or will be, `scratch` a folder for all else.
 * `note(name, ok, detail)` is called with each result; what is wrong, and how to ask it again, has been printed by
 * then.
 */
export async function fuzzApis({ installed, scratch, seed = randomInt(2 ** 31) }, note) {
  const program = await installSchemathesis(installed);
  mkdirSync(scratch, { recursive: true });
  const dataFolder = join(scratch, 'data');
  const { startServer } = await import('../../dist/tests/support/server.js');
  const server = await startServer(dataFolder);
  try {
    const known = await makeThings(server, await tokenOf(dataFolder, callers[0].roles), sub);
    for (const { name, roles, seconds } of callers) {
      const token = await tokenOf(dataFolder, roles);
      for (const [api, url] of [
        ['write', server.writeUrl],
        ['read', server.readUrl],
      ]) {
        const files = { folder: scratch, name: `${api}-${name.replace(' ', '-')}` };
        const done = await schemathesis(program, { url, token, known, seconds, seed, ...files });
        const { code, cases, operations, tested } = done;
        const ok = code === 0 && cases > 0 && operations > 0 && tested === operations;
        const did = `ended with ${code}, tried ${tested} of ${operations} operations in ${cases} requests`;
        note(`the ${api} API fuzzed as ${name}`, ok, `${did}; again with: npm run fuzz -- ${seed}`);
      }
    }
  } finally {
    const code = await server.stop('SIGINT');
    note('the server stops cleanly after it was fuzzed', code === 0, `ended with ${code}:\n${server.output()}`);
  }
}

async function tokenOf(dataFolder, roles) {
  const args = ['token', '--sub', sub, ...roles.flatMap((role) => ['--role', role])];
  const env = { ...process.env, WAYBILL_DATA: dataFolder };
  const { stdout } = await promisify(execFile)(process.execPath, [join('bootstrap', 'waybill.mjs'), ...args], {
    cwd: root,
    env,
  });
  return stdout.trim();
}
