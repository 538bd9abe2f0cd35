import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explained } from '../../bootstrap/explained.mjs';
import { prepare } from '../../bootstrap/prepare.mjs';
import { cacheFolder } from '../servers/serve.mjs';
import { fuzzApis } from './fuzz-apis.mjs';

// Fuzzes both APIs: `npm run fuzz`, or `npm run fuzz -- 42` for the run with that seed.

const [given] = process.argv.slice(2);
const seed = given === undefined ? undefined : Number(given);
if (seed !== undefined && !Number.isSafeInteger(seed)) {
  process.stderr.write('Usage: npm run fuzz -- [seed], a whole number\n');
  process.exit(2);
}

await prepare({ dev: true });
const note = (name, ok, detail = '') => {
  process.stdout.write(`${ok ? 'ok' : 'NOT OK'}  ${name}: ${detail}\n`);
  if (!ok) process.exitCode = 1;
};
await explained(async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'waybill-fuzz-'));
  try {
    await fuzzApis({ installed: join(cacheFolder, 'schemathesis'), scratch, seed }, note);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}, 3);
