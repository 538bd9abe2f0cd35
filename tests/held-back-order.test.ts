import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { happening, onOrder } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { runCommandLine } from './support/command-line.js';
import { startServer, type Server } from './support/server.js';
import { post } from './support/write-client.js';

let folder: string;
let server: Server;
let token: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-held-back-'));
  server = await startServer(folder);
  const operator = ['token', '--role', 'operator', '--role', 'merchant', '--sub', 'shop'];
  token = (await runCommandLine(folder, operator)).stdout.trim();
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  const price = { unitPrice: { amount: 900, currency: 'EUR' } };
  await command('/v1/products', { productId: 'tea', name: 'Green Tea', ...price });
  await command('/v1/customers', { customerId: 'ann', name: 'Ann', phone: '+49 30 1', address });
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

let keys = 0;

async function command(path: string, body: object): Promise<void> {
  keys += 1;
  expect((await post(server.writeUrl, path, token, `key-${keys}`, body)).status).toBe(201);
}

function place(orderId: string): Promise<void> {
  const lines = [{ productId: 'tea', quantity: 2 }];
  return command('/v1/orders', { orderId, customerId: 'ann', lines, payment: { token: 'tok_approve' } });
}

async function isConfirmed(orderId: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${server.readUrl}/v1/orders/${orderId}`, { headers });
  return ((await response.json()) as { status?: string }).status === 'confirmed';
}

/** Whether the process says this at `/metrics`. */
async function counts(line: string): Promise<boolean> {
  return (await (await fetch(`${server.writeUrl}/metrics`)).text()).split('\n').includes(line);
}

async function waybill(...words: readonly string[]) {
  const { exitCode, stdout } = await runCommandLine(folder, [...words, '--json']);
  return { exitCode, body: JSON.parse(stdout) as unknown };
}

async function append(...happenings: Parameters<typeof appendAll>[1]): Promise<void> {
  const log = openSqliteEventStore(dataFiles(folder).log, { clock: systemClock });
  await appendAll(log, happenings);
  await log.close();
}

test('beside a running server an order that cannot be handled stands still, and others go on', async () => {
  const broken = onOrder('bad', { type: 'OrderConfirmed', data: { orderId: 'another' } });
  await append(broken);
  await place('good');
  await until(() => isConfirmed('good'));
  await until(() => counts('waybill_quarantined_total{projection="fulfilment"} 1'));
  const event = { id: broken.event.id, type: 'OrderConfirmed', stream: 'order-bad', revision: 0 };
  const held = { projection: 'fulfilment', key: 'bad', event, waiting: 1 };
  expect((await waybill('quarantine', 'list')).body).toMatchObject({ entries: [held] });
  expect((await waybill('quarantine', 'show', 'bad')).body).toMatchObject({
    entries: [{ ...held, events: [{ type: 'OrderConfirmed' }] }],
  });
  expect((await waybill('status')).body).toMatchObject({ suspended: 1, quarantine: 1 });
  expect(await waybill('quarantine', 'release', 'bad')).toMatchObject({
    exitCode: 1,
    body: { released: [], failed: [held] },
  });
}, 120_000);

test('beside a running server an order that was held back is released, with who and why', async () => {
  const fault = { eventId: 'e', eventType: 'OrderPlaced', stream: 'order-late', revision: 0, error: 'TypeError' };
  const data = { orderId: 'late', ...fault };
  await append(happening('fulfilment-late', 'late', { type: 'FulfilmentSuspended', data }));
  await place('late');
  await place('good');
  await until(() => isConfirmed('good'));
  await until(async () => JSON.stringify((await waybill('quarantine', 'list')).body).includes('"late"'));
  expect(await isConfirmed('late')).toBe(false);

  expect(await waybill('quarantine', 'release', 'late', '--reason', 'it is mended')).toMatchObject({
    exitCode: 0,
    body: { released: [{ projection: 'fulfilment', key: 'late' }], failed: [] },
  });
  await until(() => isConfirmed('late'));
  expect((await waybill('quarantine', 'list')).body).toEqual({ entries: [] });
  const { body } = await waybill('replay', 'order', 'late');
  expect(JSON.stringify(body)).toContain('it is mended');
}, 120_000);
