import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { explained } from './explained.mjs';
import { npm } from './install.mjs';
import { requireNode } from './node-version.mjs';
import { checkRealOrders } from './real-orders.mjs';
import { root } from './root.mjs';

/** Runs what a person would type, counts what passed, and says it on the last line. */
const scratch = mkdtempSync(join(tmpdir(), 'waybill-ci-'));
const count = { passed: 0, failed: 0, skipped: 0 };
const visible = { stdio: ['ignore', 'inherit', 'inherit'] };

function note(name, ok, detail = '') {
  count[ok ? 'passed' : 'failed'] += 1;
  process.stdout.write(`${ok ? 'ok' : 'NOT OK'}  ${name}${ok || detail === '' ? '' : `: ${detail}`}\n`);
}

async function tests() {
  const report = join(scratch, 'tests.json');
  const code = await npm(['test', '--', '--json', `--outputFile=${report}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (existsSync(report)) {
    const results = JSON.parse(readFileSync(report, 'utf8'));
    count.passed += results.numPassedTests;
    count.failed += results.numFailedTests + results.numRuntimeErrorTestSuites;
    count.skipped += results.numPendingTests + results.numTodoTests;
  }
  if (code !== 0 && count.failed === 0) note('npm test', false, `ended with ${code}`);
}

async function checks() {
  for (const name of ['format', 'lint', 'types', 'boundaries']) {
    const code = await npm(['run', '--silent', 'check', '--', name], visible);
    note(`npm run check -- ${name}`, code === 0, `ended with ${code}`);
  }
}

async function realOrders(folder) {
  if (!existsSync(folder)) {
    process.stdout.write(`NOT RUN: there are no real orders in ${folder}\n`);
    count.skipped += 1;
    return;
  }
  try {
    await checkRealOrders(folder, join(scratch, 'data'), note);
  } catch (error) {
    note('real orders', false, error.stack);
  }
}

await explained(async () => requireNode(), 3);
try {
  await tests();
  await checks();
  await realOrders(resolve(root, process.argv[2] ?? 'no-folder-given'));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
process.stdout.write(`${count.passed} passed, ${count.failed} failed${skipped}\n`);
process.exitCode = count.failed === 0 ? 0 : 1;
