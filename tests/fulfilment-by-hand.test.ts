import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { runCommandLine } from './support/command-line.js';
import { startServer, type Server } from './support/server.js';
import { post } from './support/write-client.js';

let folder: string;
let server: Server;
let token: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-by-hand-'));
  server = await startServer(folder);
  const operator = ['token', '--role', 'operator', '--role', 'merchant', '--sub', 'shop'];
  token = (await runCommandLine(folder, operator)).stdout.trim();
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  const price = { unitPrice: { amount: 900, currency: 'EUR' } };
  await command('/v1/products', { productId: 'tea', name: 'Green Tea', ...price, stock: 5 });
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

function place(orderId: string, paymentToken: string): Promise<void> {
  const lines = [{ productId: 'tea', quantity: 2 }];
  return command('/v1/orders', { orderId, customerId: 'ann', lines, payment: { token: paymentToken } });
}

async function read<T>(path: string): Promise<T> {
  const response = await fetch(`${server.readUrl}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return (await response.json()) as T;
}

async function waybill<T>(
  ...words: readonly string[]
): Promise<{ readonly exitCode: number | null; readonly body: T }> {
  const { exitCode, stdout } = await runCommandLine(folder, [...words, '--json']);
  return { exitCode, body: JSON.parse(stdout) as T };
}

interface Shown {
  readonly state: string;
  readonly asked: { readonly attempt: number } | null;
  readonly events: readonly { readonly type: string }[];
}

async function shown(orderId: string): Promise<Partial<Shown>> {
  const { exitCode, stdout } = await runCommandLine(folder, ['fulfilment', 'show', orderId, '--json']);
  return exitCode === 0 ? (JSON.parse(stdout) as Shown) : {};
}

const because = ['--reason', 'asked by phone'] as const;

test('beside a running server what is stuck is seen, tried again, and undone, with who and why', async () => {
  await place('stuck', 'tok_hang');
  await until(async () => (await shown('stuck')).state === 'authorising');
  const listed = await waybill('fulfilment', 'list', '--state', 'authorising');
  expect(listed).toMatchObject({
    exitCode: 0,
    body: { fulfilments: [{ orderId: 'stuck', state: 'authorising', deadline: 'payment' }], more: false },
  });
  expect((await waybill('status')).body).toMatchObject({ fulfilment: { states: { authorising: { count: 1 } } } });
  await until(async () => (await read<{ stock: number }>('/v1/products/tea')).stock === 3);

  const before = (await shown('stuck')).asked!.attempt;
  const retried = await waybill<{ fulfilment: Shown }>('fulfilment', 'retry', 'stuck', ...because);
  expect(retried).toMatchObject({ exitCode: 0, body: { taken: true } });
  expect(retried.body.fulfilment.asked!.attempt).toBeGreaterThan(before);

  const undone = await waybill<{ events: Shown['events'] }>('fulfilment', 'compensate', 'stuck', ...because);
  expect(undone).toMatchObject({ exitCode: 0, body: { taken: true } });
  await until(async () => (await read<{ status: string }>('/v1/orders/stuck')).status === 'cancelled');
  await until(async () => (await read<{ stock: number }>('/v1/products/tea')).stock === 5);
  const actor = { sub: userInfo().username, role: 'operator' };
  const { events } = await read<{ events: readonly object[] }>('/v1/orders/stuck/timeline');
  expect(events).toContainEqual(
    expect.objectContaining({
      type: 'FulfilmentCompensationRequested',
      actor,
      data: { orderId: 'stuck', reason: 'asked by phone' },
    }),
  );
}, 120_000);

test('beside a running server one that waits for a courier is undone, its money and its pieces with it', async () => {
  await place('waiting', 'tok_approve');
  await until(async () => (await shown('waiting')).state === 'delivering');
  expect((await waybill('fulfilment', 'show', 'waiting')).body).toMatchObject({
    deadline: 'courier',
    payment: 'authorised',
    reserved: [{ productId: 'tea', quantity: 2 }],
  });
  await waybill('fulfilment', 'compensate', 'waiting', ...because);
  await until(async () => (await shown('waiting')).state === 'completed');
  expect((await shown('waiting')).events!.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['FulfilmentCompensationRequested', 'FulfilmentCancelled', 'FulfilmentStockReleased']),
  );
  expect((await waybill('fulfilment', 'show', 'waiting')).body).toMatchObject({ payment: 'voided', reserved: [] });
  expect((await waybill('fulfilment', 'list')).body).toEqual({ fulfilments: [], more: false });
  const again = await runCommandLine(folder, ['fulfilment', 'compensate', 'waiting', ...because]);
  expect(again).toMatchObject({ exitCode: 1, stdout: '' });
  expect(again.stderr).toMatch('Order waiting was not carried out, and all of it is undone.');
}, 120_000);
