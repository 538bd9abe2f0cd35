import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runCommandLine } from '../support/command-line.js';
import { startServer, type Server } from '../support/server.js';
import { checkout, read } from './checkout.js';
import { documents, links, pathsInTables, shellExamples } from './documents.js';

describe.each(documents)('%s', (document) => {
  test('every path in its tables exists', () => {
    expect(pathsInTables(document).filter((path) => !existsSync(join(checkout, path)))).toEqual([]);
  });

  test('every link leads somewhere', () => {
    expect(links(document).filter((path) => !existsSync(join(checkout, path)))).toEqual([]);
  });

  test('every npm script in its examples is there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = shellExamples(document).flatMap((text) =>
      [...text.matchAll(/^npm (?:run )?(\w+)/gm)].map(([, name]) => name!),
    );
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

test('the table hop → file of the README covers the path', () => {
  expect(pathsInTables('README.md').length).toBeGreaterThan(12);
});

test('every verb in the examples is one of the command line', async () => {
  const { stdout } = await runCommandLine(tmpdir(), ['--help']);
  const verbs = new Set([...stdout.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, verb]) => verb!));
  const named = documents.flatMap((document) =>
    shellExamples(document).flatMap((text) => [...text.matchAll(/npx waybill (\w+)/g)].map(([, verb]) => verb!)),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((verb) => !verbs.has(verb))).toEqual([]);
});

const canRunShell = ['sh', 'curl'].every((command) => spawnSync(command, ['--version']).error === undefined);
const describeShell = canRunShell ? describe : describe.skip;

describeShell('the first order of the README', () => {
  let dataFolder: string;
  let server: Server;

  beforeAll(async () => {
    dataFolder = await mkdtemp(join(tmpdir(), 'waybill-readme-'));
    server = await startServer(dataFolder);
  });
  afterAll(async () => {
    await server.stop('SIGINT');
    await rm(dataFolder, { recursive: true, force: true });
  });

  /** What the examples print, run against this server, one JSON document a line. */
  function run(...examples: readonly string[]): readonly Record<string, unknown>[] {
    const script = examples
      .join('\necho\n')
      .replaceAll('http://localhost:4000', server.writeUrl)
      .replaceAll('http://localhost:4001', server.readUrl)
      .replaceAll('npx waybill', `"${process.execPath}" cli/dist/main.js`)
      .replaceAll(/^curl .*$/gm, '$&; echo');
    const printed = execFileSync('sh', ['-eu', '-c', script], {
      cwd: checkout,
      env: { ...process.env, WAYBILL_DATA: dataFolder },
      encoding: 'utf8',
    });
    return printed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async function confirmed(): Promise<void> {
    const { stdout } = await runCommandLine(dataFolder, ['token', '--role', 'operator', '--sub', 'op']);
    const headers = { authorization: `Bearer ${stdout.trim()}` };
    for (;;) {
      const answer = await fetch(`${server.readUrl}/v1/orders/o1`, { headers });
      const { status, delivery } = (await answer.json()) as { status?: unknown; delivery?: { status: string } };
      if (status === 'confirmed' && delivery?.status === 'open') return;
    }
  }

  test('does what the README says', async () => {
    const [write, readBack] = shellExamples('README.md').filter((text) => text.includes('curl'));
    const answers = run(write!);
    expect(answers).toEqual([
      { productId: 'tea', revision: 0 },
      { customerId: 'ann', revision: 0 },
      { orderId: 'o1', status: 'placed', revision: 0 },
    ]);
    await confirmed();
    const [product, customer, order, document, timeline] = run(write!, readBack!);
    expect([product, customer, order]).toEqual(answers);
    expect(document).toMatchObject({
      orderId: 'o1',
      status: 'confirmed',
      total: { amount: 1800, currency: 'EUR' },
      delivery: { status: 'open' },
    });
    const types = (timeline as { events: { type: string }[] }).events.map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['OrderPlaced', 'OrderConfirmed', 'DeliveryScheduled']));
  });
});
