import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dataFiles } from '@waybill/infra/process/config.js';
import { operatorToken, runCommandLine } from './support/command-line.js';
import { fetchSeeing } from './support/fetch-seeing.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';
import { post } from './support/write-client.js';

// The ordinary disaster drill: an older backup of the log is put back, and everything derived is of a later state of it.

let folder: string;
let server: Server | undefined;
let token: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-restored-'));
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };

async function command(path: string, key: string, body: object): Promise<string> {
  const answer = await post(server!.writeUrl, path, token, key, body);
  expect([answer.status, answer.text]).toEqual([201, expect.any(String)]);
  return answer.headers.get('consistency-token')!;
}

/** Answers with the consistency token of the last. */
async function place(...orderIds: readonly string[]): Promise<string> {
  const lines = [{ productId: 'tea', quantity: 1 }];
  let last = '';
  for (const orderId of orderIds) {
    const order = { orderId, customerId: 'ann', lines, payment: { token: 'tok_approve' } };
    last = await command('/v1/orders', `key-${orderId}`, order);
  }
  return last;
}

async function read(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: unknown }> {
  const answer = await fetchSeeing(server!.readUrl + path, { authorization: `Bearer ${token}`, ...headers });
  return { status: answer.status, body: await answer.json() };
}

async function waybill(
  ...words: readonly string[]
): Promise<{ exitCode: number | null; output: string; body: unknown }> {
  const { exitCode, stdout, stderr } = await runCommandLine(folder, words);
  return { exitCode, output: stdout + stderr, body: words.includes('--json') ? JSON.parse(stdout) : undefined };
}

const settled = (): Promise<true> =>
  waitUntil('all orders are confirmed and projected', async () => {
    const { body } = await read('/v1/orders?limit=100');
    const { items, freshness } = body as { items?: { status: string }[]; freshness?: { lagMs: number } };
    return items?.every(({ status }) => status === 'confirmed') === true && freshness?.lagMs === 0;
  });

/** A folder whose log is a backup of before the orders b…, which everything else has. */
async function restoreOlderLog(): Promise<void> {
  const { log } = dataFiles(folder);
  server = await startServer(folder);
  token = await operatorToken(folder);
  await command('/v1/products', 'tea', {
    productId: 'tea',
    name: 'Green Tea',
    unitPrice: { amount: 900, currency: 'EUR' },
  });
  await command('/v1/customers', 'ann', { customerId: 'ann', name: 'Ann', phone: '+49 30 1', address });
  await place('a1', 'a2', 'a3');
  await settled();
  expect(await server.stop('SIGTERM')).toBe(0);
  await copyFile(log, `${log}.backup`);
  server = await startServer(folder);
  await place('b1', 'b2', 'b3', 'b4');
  await settled();
  expect(await server.stop('SIGTERM')).toBe(0);
  for (const end of ['-wal', '-shm']) await rm(log + end, { force: true });
  await copyFile(`${log}.backup`, log);
}

async function expectAllIsWell(): Promise<void> {
  expect((await waybill('audit', 'verify', '--json')).body).toMatchObject({ ok: true, differences: [] });
  const { body } = await waybill('status', '--json');
  const { relay, projections } = body as { relay: object; projections: object[] };
  expect([relay, ...projections].filter((each) => 'mismatch' in each)).toEqual([]);
}

test('without a server, status, doctor and audit say so, nothing is answered from it, and rebuild --all mends it', async () => {
  await restoreOlderLog();
  const status = await waybill('status', '--json');
  const { projections } = status.body as { projections: { name: string; mismatch?: string; lagEvents: number }[] };
  for (const { mismatch, lagEvents } of projections.filter(({ name }) => name === 'orders')) {
    expect(mismatch).toMatch('the log ends at');
    expect(lagEvents).toBeGreaterThan(0);
  }
  expect((await waybill('status')).output).toMatch('Run waybill rebuild --all');
  const doctor = await waybill('doctor');
  expect([doctor.exitCode, doctor.output]).toEqual([1, expect.stringMatching('Run waybill rebuild --all')]);
  expect((await waybill('audit', 'verify')).exitCode).toBe(1);
  const imported = await waybill('rebuild', '--all', '--json');
  expect(imported.exitCode).toBe(0);
  expect((imported.body as { projection: string; result: string }[]).map(({ result }) => result)).toEqual(
    (imported.body as unknown[]).map(() => 'switched'),
  );
  expect((await waybill('audit', 'verify', '--json')).body).toMatchObject({ ok: true, differences: [] });
  server = await startServer(folder);
  await settled();
  const write = await place('c1');
  expect(await read('/v1/orders/c1', { 'consistency-token': write, prefer: 'wait=10' })).toMatchObject({ status: 200 });
  await settled();
  await expectAllIsWell();
});

test('a server makes it anew by itself and says so; until then reads are refused, and none is wrong', async () => {
  await restoreOlderLog();
  server = await startServer(folder);
  expect(server.output()).toMatch('made from another log than the current one, or from a later state of it');
  const seen = new Set<string>();
  await waitUntil('orders are answered again', async () => {
    const { status, body } = await read('/v1/orders?limit=100');
    if (status === 200) {
      const { items } = body as { items: { orderId: string }[] };
      seen.add(
        items
          .map(({ orderId }) => orderId)
          .sort()
          .join(),
      );
      return true;
    }
    expect(body).toMatchObject({ type: 'urn:waybill:problem:log-mismatch', status: 503, detail: expect.any(String) });
    return false;
  });
  expect([...seen]).toEqual(['a1,a2,a3']);
  expect(await read('/v1/orders/b1')).toMatchObject({ status: 404 });
  const write = await place('c1', 'c2');
  expect(await read('/v1/orders/c2', { 'consistency-token': write, prefer: 'wait=10' })).toMatchObject({ status: 200 });
  await settled();
  await waitUntil('all four are made anew', async () => {
    const { body } = await waybill('status', '--json');
    const { projections } = body as { projections: { rebuild: unknown; mismatch?: string }[] };
    return projections.every(({ rebuild, mismatch }) => rebuild === null && mismatch === undefined);
  });
  await expectAllIsWell();
});
