import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import type { Role } from '@waybill/infra/http/identity/caller.js';
import type { Manifest } from '@waybill/cli/backup/manifest.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { broken, BrokenLog, type StoredRow } from './support/broken-log.js';
import { operatorToken, runCommandLineHere } from './support/command-line.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';
import { post, type Answer } from './support/write-client.js';

/** Orders, each named after the stream of it that is broken; nothing is done to `well`. */
const placed = ['order', 'payment', 'fulfilment', 'delivery', 'request', 'well'] as const;

/** One of each category, those of orders each of another order. */
const streams = (log: BrokenLog): readonly string[] => [
  'order-order',
  'payment-payment',
  'fulfilment-fulfilment',
  streamName('delivery', deliveryIdOf('delivery')),
  'product-mug',
  'customer-bob',
  log.streamOf('request', '"request"'),
];

/** What the read models and the process manager say of them: the request has no document. */
const marked = ['customers bob', `deliveries ${deliveryIdOf('delivery')}`, 'fulfilment fulfilment'].concat([
  'orders delivery',
  'orders order',
  'orders payment',
  'products mug',
]);

let folder: string;
let server: Server;
let log: BrokenLog;
let token: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-unreadable-'));
  server = await startServer(folder);
  log = new BrokenLog(folder);
  token = await operatorToken(folder);
  const price = { unitPrice: { amount: 900, currency: 'EUR' } };
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  for (const productId of ['tea', 'mug']) await command('/v1/products', { productId, name: productId, ...price });
  for (const customerId of ['ann', 'bob']) {
    await command('/v1/customers', { customerId, name: customerId, phone: '+49 30 1', address });
  }
  for (const orderId of placed) await place(orderId);
  for (const orderId of placed) await hasDelivery(orderId);
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

function send(path: string, body: object): Promise<Answer> {
  return post(server.writeUrl, path, token, `${path} ${JSON.stringify(body)}`, body);
}

async function command(path: string, body: object): Promise<string> {
  const { status, headers, text } = await send(path, body);
  expect({ status, text }).toMatchObject({ status: 201 });
  return headers.get('consistency-token')!;
}

const cart = (orderId: string) => ({
  orderId,
  customerId: 'ann',
  lines: [{ productId: 'tea', quantity: 1 }],
  payment: { token: 'tok_approve' },
});

/** Answers with the consistency token. */
function place(orderId: string): Promise<string> {
  return command('/v1/orders', cart(orderId));
}

interface Body {
  readonly type?: string;
  readonly detail?: string;
  readonly status?: unknown;
  readonly delivery?: unknown;
  readonly degraded?: { readonly reason: string };
  readonly stream?: string;
}

async function read<T = Body>(path: string, seen?: string, by = token): Promise<{ status: number; body: T }> {
  const headers = { authorization: `Bearer ${by}`, prefer: 'wait=10' };
  const response = await fetch(server.readUrl + path, {
    headers: seen === undefined ? headers : { ...headers, 'consistency-token': seen },
  });
  return { status: response.status, body: (await response.json()) as T };
}

async function hasDelivery(orderId: string): Promise<void> {
  await waitUntil(`${orderId} has a delivery`, async () => {
    const { body } = await read(`/v1/orders/${orderId}`);
    return body.status === 'confirmed' && body.delivery !== undefined;
  });
}

async function tokenOf(sub: string, role: Role): Promise<string> {
  const key = await openDevelopmentKey(dataFiles(folder).developmentKey);
  return issueDevelopmentToken(key, { sub, roles: [role] }, systemClock);
}

async function waybill(...words: readonly string[]) {
  const ran = await runCommandLineHere(folder, words);
  expect(ran.stderr).not.toMatch('fault of waybill itself');
  return ran;
}

async function waybillJson<T>(
  ...words: readonly string[]
): Promise<{ readonly exitCode: number | null; readonly body: T }> {
  const { exitCode, stdout } = await waybill(...words, '--json');
  return { exitCode, body: JSON.parse(stdout) as T };
}

interface Entry {
  readonly projection: string;
  readonly key: string;
  readonly event?: { readonly stream: string; readonly revision: number; readonly position: string };
  readonly waiting: number;
}

async function quarantine(): Promise<readonly Entry[]> {
  return (await waybillJson<{ readonly entries: readonly Entry[] }>('quarantine', 'list')).body.entries;
}

const nameOf = ({ projection, key }: Entry) => `${projection} ${key}`;

async function isMarked(): Promise<void> {
  await waitUntil('all are marked', async () => {
    const names = (await quarantine()).map(nameOf);
    return marked.every((name) => names.includes(name));
  });
}

/** The sentence that names the event wherever it is met. */
function faultOf({ stream, revision, position }: StoredRow): string {
  return `The event at revision ${revision} of stream ${stream}, position ${position}, cannot be read: it`;
}

async function isRefusedAsUnreadable(path: string, row: StoredRow): Promise<void> {
  const { status, body } = await read(path);
  expect({ status, ...body }).toMatchObject({
    status: 503,
    type: expect.stringMatching(/:stream-unreadable$/),
    detail: expect.stringContaining(faultOf(row)),
  });
}

/** Others go on, through every part: it was placed, paid, put into the read models. */
async function goesOn(orderId: string): Promise<void> {
  const seen = await place(orderId);
  await hasDelivery(orderId);
  expect((await read(`/v1/orders/${orderId}`, seen)).status).toBe(200);
  expect((await read(`/v1/orders/${orderId}/timeline`)).status).toBe(200);
  for (const path of ['/v1/orders', '/v1/deliveries', '/v1/products']) {
    expect((await read(path, seen)).status).toBe(200);
  }
  expect((await read('/v1/orders/well', seen)).body).not.toHaveProperty('degraded');
  for (const url of [server.writeUrl, server.readUrl]) {
    await waitUntil('it is ready', async () => (await fetch(`${url}/readyz`)).status === 200);
  }
}

async function everyVerbNames(rows: readonly StoredRow[]): Promise<void> {
  const unreadable = rows.map(({ stream, revision, position }) => ({ stream, revision, position: String(position) }));
  const audit = await waybillJson<{ readonly differences: readonly object[]; readonly unreadable: readonly object[] }>(
    'audit',
    'verify',
  );
  expect(audit).toMatchObject({ exitCode: 1, body: { ok: false, differences: [], cut: [] } });
  expect(audit.body.unreadable).toHaveLength(rows.length);
  for (const event of unreadable) expect(audit.body.unreadable).toContainEqual(expect.objectContaining(event));

  const history = await waybill('replay', 'history', '--as-of', '2100-01-01T00:00:00Z', '--json');
  expect(history.exitCode).toBe(1);
  expect(history.stdout).toMatch(/"orderId":"well"/);
  expect(history.stdout).not.toMatch(/"orderId":"(order|payment|delivery)"/);
  const ofOrders = rows.filter(({ stream }) => /^(order|payment|delivery)-/.test(stream));
  for (const row of ofOrders) expect(history.stderr).toMatch(faultOf(row));
  for (const orderId of ['order', 'payment', 'fulfilment', 'delivery']) {
    const { exitCode, stderr } = await waybill('replay', 'order', orderId);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(/position \d+, cannot be read: it/),
    });
  }

  const { stdout: checks } = await waybill('doctor');
  const copy = join(folder, 'copy');
  const backup = await waybill('backup', copy);
  expect(backup.exitCode).toBe(0);
  const manifest = JSON.parse(readFileSync(join(copy, 'manifest.json'), 'utf8')) as Manifest;
  for (const event of unreadable) expect(manifest.log.faults).toContainEqual(expect.objectContaining(event));
  const restored = await runCommandLineHere(join(folder, 'restored'), ['restore', copy]);
  expect(restored.exitCode).toBe(0);
  for (const row of rows) {
    for (const said of [checks, backup.stderr, restored.stderr]) expect(said).toMatch(faultOf(row));
  }
  await Promise.all([copy, join(folder, 'restored')].map((path) => rm(path, { recursive: true })));
  for (const name of marked)
    expect(checks).toMatch(new RegExp(`${name.replace(' ', String.raw`(\.v\d+)? `)}: revision`));
}

async function isNamedInQuarantine(rows: readonly StoredRow[]): Promise<void> {
  const entries = await quarantine();
  for (const { stream, revision, position } of rows.filter((row) => !row.stream.startsWith('request-'))) {
    const event = { stream, revision, position: String(position) };
    expect(entries).toContainEqual(expect.objectContaining({ event: expect.objectContaining(event) }));
  }
  const { stdout } = await waybill('quarantine', 'show', 'order');
  expect(stdout).toMatch(`revision ${rows[0]!.revision} of order-order, position ${rows[0]!.position}`);
}

test.each(['no JSON', 'no partition key'] as const)(
  'beside a running server the newest event of each stream has %s: its key stands still, all others go on',
  async (how) => {
    const rows = streams(log).map((stream) => log.add(stream, broken(log.last(stream).body, how)));
    await goesOn('after');
    await isMarked();
    const seen = await place('later');
    for (const orderId of ['order', 'payment', 'delivery']) {
      const { status, body } = await read(`/v1/orders/${orderId}`, seen);
      expect({ status, body }).toMatchObject({
        status: 200,
        body: {
          status: 'confirmed',
          degraded: { reason: expect.stringMatching(/^Revision \d+ of .* cannot be read/) },
        },
      });
    }
    const [ann, eve] = [await tokenOf('ann', 'customer'), await tokenOf('eve', 'customer')];
    for (const [index, orderId] of (['order', 'payment', 'fulfilment', 'delivery'] as const).entries()) {
      await isRefusedAsUnreadable(`/v1/orders/${orderId}/timeline`, rows[index]!);
      expect((await read(`/v1/orders/${orderId}/timeline`, undefined, ann)).status).toBe(503);
      expect((await read(`/v1/orders/${orderId}/timeline`, undefined, eve)).status).toBe(404);
    }
    await isNamedInQuarantine(rows);
    expect((await waybillJson('status')).body).toMatchObject({ quarantine: marked.length });
    await everyVerbNames(rows);
  },
  240_000,
);

test('an old event of each stream, and all read models made anew: so much is marked, and it is released once it is back', async () => {
  const before = await read('/v1/orders/order');
  await server.stop('SIGTERM');
  const hows = ['no JSON', 'no partition key'] as const;
  const whole = streams(log).map((stream) => log.at(stream, stream.startsWith('fulfilment-') ? 1 : 0));
  // Of a delivery of which nothing can be read nobody knows whose it is.
  log.add(whole[3]!.stream, whole[3]!.body);
  for (const [index, row] of whole.entries()) log.overwrite(row, broken(row.body, hows[index % 2]!));
  server = await startServer(folder);
  // A version that is made anew is no step back from the one before.
  const rebuilt = await waybillJson('rebuild', 'orders');
  expect(rebuilt).toMatchObject({ exitCode: 0, body: { result: 'switched', marked: { length: 3 } } });
  for (const orderId of ['order', 'payment', 'delivery']) {
    expect((await read(`/v1/orders/${orderId}`)).body).toMatchObject({ status: 'confirmed', degraded: {} });
  }
  expect((await quarantine()).filter(({ waiting }) => waiting < 0)).toEqual([]);

  await server.stop('SIGTERM');
  const { readModels } = dataFiles(folder);
  for (const end of ['', '-wal', '-shm']) await rm(`${readModels}${end}`, { force: true });

  server = await startServer(folder);
  await goesOn('after');
  await isMarked();
  expect((await read('/v1/orders/order')).status).toBe(503);
  expect((await read('/v1/orders/payment')).body).toMatchObject({ status: 'confirmed', degraded: {} });
  await isNamedInQuarantine(whole);
  await everyVerbNames(whole);
  // A repeat of its key asks the stream that cannot be read; it is the trouble of this key alone.
  expect((await send('/v1/orders', cart('request'))).status).toBe(503);
  const all = await waybillJson<readonly object[]>('rebuild', '--all');
  expect(all).toMatchObject({ exitCode: 0, body: all.body.map(() => ({ result: 'switched' })) });

  for (const row of whole) log.overwrite(row, row.body);
  const release = await waybillJson('quarantine', 'release', '--all');
  expect(release).toMatchObject({ exitCode: 0, body: { failed: [] } });
  expect(await quarantine()).toEqual([]);
  const { status, body } = await read('/v1/orders/order');
  expect({ status, body: { ...body, freshness: undefined } }).toEqual({
    ...before,
    body: { ...before.body, freshness: undefined },
  });
  const { body: audit } = await waybillJson('audit', 'verify');
  expect(audit).toMatchObject({ ok: true, differences: [], unreadable: [] });
}, 240_000);

test('rows deleted from the log: those streams are cut, named by every verb, and all others go on', async () => {
  await server.stop('SIGTERM');
  const firsts = ['order-order', 'fulfilment-fulfilment'].map((stream) => log.cut(stream));
  server = await startServer(folder);
  await goesOn('after');
  const cut = { projection: 'orders', key: 'order', stream: 'order-order', firstRevision: 1 };
  const audit = await waybillJson<{ readonly cut: readonly object[] }>('audit', 'verify');
  expect(audit).toMatchObject({ exitCode: 1, body: { ok: false, differences: [], unreadable: [] } });
  expect(audit.body.cut).toContainEqual(cut);
  expect(audit.body.cut).toContainEqual(
    expect.objectContaining({ key: 'fulfilment', stream: 'fulfilment-fulfilment' }),
  );
  expect((await read('/v1/orders/order')).body).toMatchObject({ status: 'confirmed' });
  const timeline = await read('/v1/orders/order/timeline');
  expect(timeline).toMatchObject({ status: 410, body: { stream: 'order-order', firstRevision: 1 } });

  const replayed = await waybill('replay', 'order', 'order');
  expect(replayed).toMatchObject({ exitCode: 1, stderr: expect.stringMatching('Stream order-order was cut') });
  const history = await waybill('replay', 'history', '--as-of', '2100-01-01T00:00:00Z');
  expect(history).toMatchObject({ exitCode: 1, stderr: expect.stringMatching('order: Stream order-order was cut') });
  const backup = await waybill('backup', join(folder, 'copy'));
  expect(backup).toMatchObject({ exitCode: 0, stderr: expect.stringMatching('Stream order-order was cut') });
  expect(await waybill('rebuild', 'orders')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/order: StreamCut: Stream order-order was cut/),
  });
  expect((await read('/v1/orders/order')).body).toMatchObject({ status: 'confirmed', degraded: {} });
  expect((await waybill('doctor')).stdout).toMatch('Events of order-order are gone from the event store');

  for (const first of firsts) log.putBack(first);
  expect(await waybillJson('quarantine', 'release', '--all')).toMatchObject({ exitCode: 0, body: { failed: [] } });
  expect(await quarantine()).toEqual([]);
  expect(await waybillJson('audit', 'verify')).toMatchObject({ exitCode: 0, body: { differences: [], cut: [] } });
  expect((await send('/v1/orders/order/cancellation', { reason: 'changed my mind' })).status).toBe(200);
}, 240_000);
