import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { jest, jestArguments } from '../bootstrap/jest.mjs';
import { prepare } from '../bootstrap/prepare.mjs';
import { root } from '../bootstrap/root.mjs';

// Runs the tests that have a long form, at full length: `npm run long`, or those that match: `npm run long -- crash`.
// What is by chance in them follows from a seed that is fresh and printed; WAYBILL_TEST_SEED=… runs it once more.

/** Who imports it, at whatever remove, has a long form. */
const length = join('shared-kernel', 'dist', 'testing', 'length.js');

await prepare({ dev: true });
const words = process.argv.slice(2);
const options = words.filter((word) => word.startsWith('-'));
const patterns = words.filter((word) => !word.startsWith('-')).map((word) => new RegExp(word, 'i'));
const listing = execFileSync(process.execPath, jestArguments(['--listTests', '--json', '--findRelatedTests', length]), {
  cwd: root,
  encoding: 'utf8',
});
const files = JSON.parse(listing).filter((file) => patterns.length === 0 || patterns.some((one) => one.test(file)));
if (files.length === 0) {
  process.stderr.write('No test with a long form matches.\n');
  process.exit(1);
}
const seed = process.env.WAYBILL_TEST_SEED ?? String(randomInt(2 ** 31));
process.stdout.write(`At full length, WAYBILL_TEST_SEED=${seed}\n`);
process.exitCode = await jest([...options, '--runTestsByPath', ...files], {
  stdio: 'inherit',
  env: { ...process.env, WAYBILL_TEST_LONG: 'yes', WAYBILL_TEST_SEED: seed },
});
