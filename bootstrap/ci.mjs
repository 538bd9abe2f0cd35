import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { explained } from './explained.mjs';
import { fuzzApis } from './fuzz/fuzz-apis.mjs';
import { pythonNeeds } from './fuzz/schemathesis.mjs';
import { npm } from './install.mjs';
import { requireNode } from './node-version.mjs';
import { checkRealOrders } from './real-orders.mjs';
import { root } from './root.mjs';
import { installPackages } from './servers/packages.mjs';

/** Runs what a person would type, with the servers it takes, counts what passed, and says it on the last line. */
const scratch = mkdtempSync(join(tmpdir(), 'waybill-ci-'));
const count = { passed: 0, failed: 0, skipped: 0 };
/** What either half of the tests may take, milliseconds; then they are ended and have failed. */
const testsLimit = 14 * 60_000;
/** Suites that have the broker's usual queues to themselves; of the others two run at a time. */
const usualQueues = '(dist/tests/servers/|projections/dist/cli/(doctor|status|dead-letters)\\.)';
const halves = {
  parts: ['--maxWorkers=2', `--testPathIgnorePatterns=${usualQueues}`],
  deployments: ['--runInBand', usualQueues],
};
/** Where more suites fail than so many, it is no accident. */
const mostSecondAttempts = 5;
const visible = { stdio: ['ignore', 'inherit', 'inherit'] };

function note(name, ok, detail = '') {
  count[ok ? 'passed' : 'failed'] += 1;
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

/**
 * All tests. A test that needs a server is skipped where there are none. Suites that failed are run a second time,
 * alone: what only a busy machine broke is said, and is no failure.
 */
async function tests(withServers, orders) {
  for (const [half, args] of Object.entries(halves)) await testsOf(half, args, withServers, orders);
}

async function testsOf(half, args, withServers, orders) {
  const script = withServers ? ['run', '--silent', 'test:servers'] : ['test'];
  const run = async (name, args) => {
    const report = join(scratch, `${half}-${name}`);
    const code = await npm([...script, '--', '--json', `--outputFile=${report}`, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, WAYBILL_TEST_OLIST: orders },
      timeout: testsLimit,
    });
    return { code, results: existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined };
  };
  const { code, results } = await run('tests.json', args);
  if (results === undefined) {
    note(`npm test, ${half}`, false, `ended with ${code}`);
    return;
  }
  const failed = results.testResults.filter(({ status }) => status === 'failed');
  let { numPassedTests: passed, numFailedTests, numRuntimeErrorTestSuites } = results;
  if (failed.length > 0 && failed.length <= mostSecondAttempts) {
    const again = await run('again.json', ['--runTestsByPath', ...failed.map(({ name }) => name)]);
    if (again.results !== undefined) {
      const passedBefore = failed.flatMap(({ assertionResults }) => assertionResults.filter(isPassed)).length;
      passed += again.results.numPassedTests - passedBefore;
      ({ numFailedTests, numRuntimeErrorTestSuites } = again.results);
      const mended = again.results.testResults.filter(({ status }) => status === 'passed');
      for (const { name } of mended) process.stdout.write(`PASSED AT THE SECOND ATTEMPT ONLY: ${name}\n`);
    }
  }
  count.passed += passed;
  count.failed += numFailedTests + numRuntimeErrorTestSuites;
  count.skipped += results.numPendingTests + results.numTodoTests;
  if (code !== 0 && failed.length === 0) note(`npm test, ${half}`, false, `ended with ${code}`);
}

function isPassed({ status }) {
  return status === 'passed';
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
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
process.stdout.write(`${count.passed} passed, ${count.failed} failed${skipped}\n`);
process.exitCode = count.failed === 0 ? 0 : 1;
