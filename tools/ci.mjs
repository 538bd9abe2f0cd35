import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { explained } from '../bootstrap/explained.mjs';
import { fuzzApis } from './fuzz/fuzz-apis.mjs';
import { pythonNeeds } from './fuzz/schemathesis.mjs';
import { npm } from '../bootstrap/install.mjs';
import { requireNode } from '../bootstrap/node-version.mjs';
import { checkRealOrders } from './real-orders.mjs';
import { root } from '../bootstrap/root.mjs';
import { installPackages } from './servers/packages.mjs';

/** Runs what a person would type, with the servers it takes, counts what passed, and says it on the last line. */
const scratch = mkdtempSync(join(tmpdir(), 'waybill-ci-'));
const count = { passed: 0, failed: 0, skipped: 0 };
/** What failed and how, printed once more at the end: between it and here may be half an hour of output. */
const failures = [];
/** Suites that have the broker's usual queues to themselves; of the others three run at a time, as most of them wait. */
const usualQueues = '(dist/tests/servers/|cli/dist/(doctor|status|dead-letters)\\.)';
const parts = ['--maxWorkers=3', `^(?!.*${usualQueues})`];
const deployments = ['--runInBand', usualQueues];
/** The tests, and what each run of them may take, minutes; then it is ended and has failed. */
const runsOfTests = [
  { name: 'test, parts', script: 'test', args: parts, limit: 18 },
  { name: 'test, deployments', script: 'test', args: deployments, limit: 15 },
  { name: 'long, parts', script: 'long', args: parts, limit: 17 },
  { name: 'long, deployments', script: 'long', args: deployments, limit: 16 },
];
const visible = { stdio: ['ignore', 'inherit', 'inherit'] };

function note(name, ok, detail = '') {
  count[ok ? 'passed' : 'failed'] += 1;
  if (!ok) failures.push(`${name}: ${detail}`);
  process.stdout.write(`${ok ? 'ok' : 'NOT OK'}  ${name}${ok || detail === '' ? '' : `: ${detail}`}\n`);
}

/** Whether the servers that the tests take are installed now. */
async function servers() {
  const name = 'the servers of the tests are installed';
  try {
    await installPackages();
    note(name, true);
    return true;
  } catch (error) {
    note(name, false, error.message);
    return false;
  }
}

/** All tests, and those with a long form at full length. A test that needs a server is skipped where there are none. */
async function tests(withServers, orders) {
  for (const { name, script, args, limit } of runsOfTests) {
    const report = join(scratch, `${name}.json`);
    const wanted = ['run', '--silent', withServers ? `${script}:servers` : script, '--', ...args];
    const code = await npm([...wanted, '--json', `--outputFile=${report}`], {
      ...visible,
      env: { ...process.env, WAYBILL_TEST_OLIST: orders },
      timeout: limit * 60_000,
    });
    if (existsSync(report)) addUp(JSON.parse(readFileSync(report, 'utf8')), code, name);
    else note(`npm run ${name}`, false, `ended with ${code}`);
  }
}

function addUp(results, code, name) {
  count.passed += results.numPassedTests;
  count.failed += results.numFailedTests + results.numRuntimeErrorTestSuites;
  count.skipped += results.numPendingTests + results.numTodoTests;
  for (const { name: file, message, assertionResults } of results.testResults) {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    for (const { fullName, failureMessages } of failed)
      failures.push(`${file}, ${fullName}:\n${failureMessages.join('\n')}`);
    if (assertionResults.length === 0 && message !== '') failures.push(`${file}:\n${message}`);
  }
  if (code !== 0 && results.success) note(`npm run ${name}`, false, `ended with ${code}`);
}

async function checks() {
  for (const name of ['format', 'lint', 'types', 'audit', 'boundaries']) {
    const code = await npm(['run', '--silent', 'check', '--', name], visible);
    note(`npm run check -- ${name}`, code === 0, `ended with ${code}`);
  }
}

/** Both APIs, asked from outside whatever their documents allow. */
async function fuzz() {
  try {
    await installPackages(pythonNeeds);
    await fuzzApis({ installed: join(scratch, 'schemathesis'), scratch: join(scratch, 'fuzz') }, note);
  } catch (error) {
    note('the APIs are fuzzed', false, error.message);
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
const orders = resolve(root, process.argv[2] ?? 'no-folder-given');
try {
  await tests(await servers(), orders);
  await checks();
  await fuzz();
  await realOrders(orders);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
for (const failure of failures) process.stdout.write(`FAILED  ${stripVTControlCharacters(failure)}\n`);
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
process.stdout.write(`${count.passed} passed, ${count.failed} failed${skipped}\n`);
process.exitCode = count.failed === 0 ? 0 : 1;
