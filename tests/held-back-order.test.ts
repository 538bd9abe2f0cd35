import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { happening, onOrder } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { TeaShop } from './support/tea-shop.js';

let shop: TeaShop;

beforeEach(async () => {
  shop = await TeaShop.open('held-back');
});

afterEach(() => shop.close());

async function isConfirmed(orderId: string): Promise<boolean> {
  return (await shop.read<{ status?: string }>(`/v1/orders/${orderId}`)).status === 'confirmed';
}

/** Whether the process says this at `/metrics`. */
async function counts(line: string): Promise<boolean> {
  return (await (await fetch(`${shop.server.writeUrl}/metrics`)).text()).split('\n').includes(line);
}

async function append(...happenings: Parameters<typeof appendAll>[1]): Promise<void> {
  const log = openSqliteEventStore(dataFiles(shop.folder).log, { clock: systemClock });
  await appendAll(log, happenings);
  await log.close();
}

test('beside a running server an order that cannot be handled stands still, and others go on', async () => {
  const broken = onOrder('bad', { type: 'OrderConfirmed', data: { orderId: 'another' } });
  await append(broken);
  await shop.place('good');
  await until(() => isConfirmed('good'));
  await until(() => counts('waybill_quarantined_total{projection="fulfilment"} 1'));
  const event = { id: broken.event.id, type: 'OrderConfirmed', stream: 'order-bad', revision: 0 };
  const held = { projection: 'fulfilment', key: 'bad', event, waiting: 1 };
  expect((await shop.waybill('quarantine', 'list')).body).toMatchObject({ entries: [held] });
  expect((await shop.waybill('quarantine', 'show', 'bad')).body).toMatchObject({
    entries: [{ ...held, events: [{ type: 'OrderConfirmed' }] }],
  });
  expect((await shop.waybill('status')).body).toMatchObject({ suspended: 1, quarantine: 1 });
  expect(await shop.waybill('quarantine', 'release', 'bad')).toMatchObject({
    exitCode: 1,
    body: { released: [], failed: [held] },
  });
}, 120_000);

test('beside a running server an order that was held back is released, with who and why', async () => {
  const fault = { eventId: 'e', eventType: 'OrderPlaced', stream: 'order-late', revision: 0, error: 'TypeError' };
  const data = { orderId: 'late', ...fault };
  await append(happening('fulfilment-late', 'late', { type: 'FulfilmentSuspended', data }));
  await shop.place('late');
  await shop.place('good');
  await until(() => isConfirmed('good'));
  await until(async () => JSON.stringify((await shop.waybill('quarantine', 'list')).body).includes('"late"'));
  expect(await isConfirmed('late')).toBe(false);

  expect(await shop.waybill('quarantine', 'release', 'late', '--reason', 'it is mended')).toMatchObject({
    exitCode: 0,
    body: { released: [{ projection: 'fulfilment', key: 'late' }], failed: [] },
  });
  await until(() => isConfirmed('late'));
  expect((await shop.waybill('quarantine', 'list')).body).toEqual({ entries: [] });
  const { body } = await shop.waybill('replay', 'order', 'late');
  expect(JSON.stringify(body)).toContain('it is mended');
}, 120_000);
