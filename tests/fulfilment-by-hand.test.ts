import { userInfo } from 'node:os';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { runCommandLineHere } from './support/command-line.js';
import { TeaShop } from './support/tea-shop.js';

let shop: TeaShop;

beforeEach(async () => {
  shop = await TeaShop.open('by-hand', { stock: 5 });
});

afterEach(() => shop.close());

interface Shown {
  readonly state: string;
  readonly asked: { readonly attempt: number } | null;
  readonly events: readonly { readonly type: string }[];
}

async function shown(orderId: string): Promise<Partial<Shown>> {
  const { exitCode, stdout } = await runCommandLineHere(shop.folder, ['fulfilment', 'show', orderId, '--json']);
  return exitCode === 0 ? (JSON.parse(stdout) as Shown) : {};
}

const because = ['--reason', 'asked by phone'] as const;

test('beside a running server what is stuck is seen, tried again, and undone, with who and why', async () => {
  await shop.place('stuck', 'tok_hang');
  await until(async () => (await shown('stuck')).state === 'authorising');
  const listed = await shop.waybill('fulfilment', 'list', '--state', 'authorising');
  expect(listed).toMatchObject({
    exitCode: 0,
    body: { fulfilments: [{ orderId: 'stuck', state: 'authorising', deadline: 'payment' }], more: false },
  });
  expect((await shop.waybill('status')).body).toMatchObject({ fulfilment: { states: { authorising: { count: 1 } } } });
  await until(async () => (await shop.read<{ stock: number }>('/v1/products/tea')).stock === 3);

  const before = (await shown('stuck')).asked!.attempt;
  const retried = await shop.waybill<{ fulfilment: Shown }>('fulfilment', 'retry', 'stuck', ...because);
  expect(retried).toMatchObject({ exitCode: 0, body: { taken: true } });
  expect(retried.body.fulfilment.asked!.attempt).toBeGreaterThan(before);

  const undone = await shop.waybill<{ events: Shown['events'] }>('fulfilment', 'compensate', 'stuck', ...because);
  expect(undone).toMatchObject({ exitCode: 0, body: { taken: true } });
  await until(async () => (await shop.read<{ status: string }>('/v1/orders/stuck')).status === 'cancelled');
  await until(async () => (await shop.read<{ stock: number }>('/v1/products/tea')).stock === 5);
  const actor = { sub: userInfo().username, role: 'operator' };
  const { events } = await shop.read<{ events: readonly object[] }>('/v1/orders/stuck/timeline');
  expect(events).toContainEqual(
    expect.objectContaining({
      type: 'FulfilmentCompensationRequested',
      actor,
      data: { orderId: 'stuck', reason: 'asked by phone' },
    }),
  );
}, 120_000);

test('beside a running server one that waits for a courier is undone, its money and its pieces with it', async () => {
  await shop.place('waiting', 'tok_approve');
  await until(async () => (await shown('waiting')).state === 'delivering');
  expect((await shop.waybill('fulfilment', 'show', 'waiting')).body).toMatchObject({
    deadline: 'courier',
    payment: 'authorised',
    reserved: [{ productId: 'tea', quantity: 2 }],
  });
  await shop.waybill('fulfilment', 'compensate', 'waiting', ...because);
  await until(async () => (await shown('waiting')).state === 'completed');
  expect((await shown('waiting')).events!.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['FulfilmentCompensationRequested', 'FulfilmentCancelled', 'FulfilmentStockReleased']),
  );
  expect((await shop.waybill('fulfilment', 'show', 'waiting')).body).toMatchObject({ payment: 'voided', reserved: [] });
  expect((await shop.waybill('fulfilment', 'list')).body).toEqual({ fulfilments: [], more: false });
  const again = await runCommandLineHere(shop.folder, ['fulfilment', 'compensate', 'waiting', ...because]);
  expect(again).toMatchObject({ exitCode: 1, stdout: '' });
  expect(again.stderr).toMatch('Order waiting was not carried out, and all of it is undone.');
}, 120_000);
