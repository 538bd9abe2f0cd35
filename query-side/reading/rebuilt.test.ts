import { expect, test } from '@jest/globals';
import { deliveries } from '@waybill/projections/read-models/deliveries.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { products } from '@waybill/projections/read-models/products.js';
import { atVersion } from '@waybill/projections/rebuild/versions.js';
import { assigned, confirmed, happening, listed } from '@waybill/projections/testing/history.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { place, schedule } from '../testing/orders.js';
import type { ReadSide } from '../testing/read-side.js';
import { readSideForEach } from '../testing/read-side-for-each.js';

interface List {
  readonly items: readonly object[];
  readonly freshness: { readonly lagMs: number };
}

/** Milliseconds after which a reader has noticed. */
const aWhile = 1_000;

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

const at = { at: '2026-02-28T12:00:00.000Z' };

test('once a read model was rebuilt all is read from its new version', async () => {
  await side.history(await place(side, 'o1', {}, at), await schedule(side, 'o1'), listed('P-1'));
  for (const path of ['/v1/orders', '/v1/orders/o1', '/v1/deliveries', '/v1/products', '/v1/reports/daily']) {
    expect(await side.get(path)).toMatchObject({ status: 200 });
  }
  for (const projection of [orders, deliveries, products]) await side.rebuild(projection);
  side.pass(aWhile);
  const priced = { productId: 'P-1', unitPrice: 1, currency: 'EUR' };
  // Only what is live is projected on.
  await side.history(
    confirmed('o1'),
    await place(side, 'o2', {}, at),
    assigned('o1'),
    happening('product-P-1', 'P-1', { type: 'ProductPriceChanged', data: priced }),
  );
  side.pass(aWhile);
  expect((await side.get('/v1/orders/o1')).body).toMatchObject({ status: 'confirmed', freshness: { lagMs: 0 } });
  const list = (await side.get<List>('/v1/orders')).body;
  expect(list).toMatchObject({ items: [{ orderId: 'o2' }, { orderId: 'o1', status: 'confirmed' }] });
  expect(list.freshness.lagMs).toBe(0);
  const delivery = { deliveryId: deliveryIdOf('o1'), courierId: 'cleo' };
  expect((await side.get(`/v1/deliveries/${delivery.deliveryId}`)).body).toMatchObject(delivery);
  expect((await side.get('/v1/deliveries?courierId=cleo')).body).toMatchObject({ items: [delivery] });
  expect((await side.get('/v1/products/P-1')).body).toMatchObject({ unitPrice: { amount: 1 } });
  expect((await side.get('/v1/reports/daily?from=2026-02-28')).body).toMatchObject({ days: [{ placed: 2 }] });
});

test('what was seen in the version before is seen in the new one, which may be a moment behind', async () => {
  await side.history(await place(side, 'o1', {}, at));
  await side.get('/v1/orders');
  await side.get('/v1/reports/daily');
  const { collection } = orders;
  await side.rebuild(orders);
  await side.happen(confirmed('o1'), await place(side, 'o2', {}, at));
  await side.project([orders]);
  const confirmedAndPlaced = { items: [{ orderId: 'o2' }, { orderId: 'o1', status: 'confirmed' }] };
  expect((await side.get('/v1/orders')).body).toMatchObject(confirmedAndPlaced);
  side.pass(aWhile);
  side.whileWaiting = async (milliseconds) => {
    side.pass(milliseconds);
    if (side.waited > 200) await side.project([atVersion(orders, collection.version + 1)]);
  };
  const answers = await Promise.all(
    ['/v1/orders/o2', '/v1/orders/o1', '/v1/orders', '/v1/reports/daily?from=2026-02-28'].map((path) => side.get(path)),
  );
  const [o2, o1, list, report] = answers.map(({ body }) => body);
  expect(o2).toMatchObject({ orderId: 'o2' });
  expect(o1).toMatchObject({ status: 'confirmed', revision: 1 });
  expect(list).toMatchObject(confirmedAndPlaced);
  expect(report).toMatchObject({ days: [{ placed: 2 }] });
});

test('a new version that lags behind is read all the same, and says so', async () => {
  await side.history(await place(side, 'o1', {}, at));
  await side.get('/v1/orders/o1');
  await side.rebuild(orders);
  await side.happen(confirmed('o1'));
  await side.project([orders]);
  side.pass(aWhile);
  expect((await side.get('/v1/orders/o1')).body).toMatchObject({ status: 'placed', freshness: { lagMs: 2 * aWhile } });
  expect(side.waited).toBe(aWhile);
  await side.get('/v1/orders/o1');
  expect(side.waited).toBe(aWhile);
});

test('what a rebuild mends is shown as it is, however often it was asked for before', async () => {
  await side.history(await place(side, 'o1', {}, at));
  await side.spoil(orders, 'o1', 'order', { confirmedAt: '2020-01-01T00:00:00.000Z' });
  const status = async (): Promise<unknown> => (await side.get('/v1/orders/o1')).body['status'];
  const listedAs = async (): Promise<unknown> => (await side.get<List>('/v1/orders')).body.items;
  const { headers } = await side.get('/v1/orders/o1');
  expect(await status()).toBe('confirmed');
  expect(await listedAs()).toMatchObject([{ status: 'confirmed' }]);
  await side.rebuild(orders);
  side.pass(aWhile);
  expect(await status()).toBe('placed');
  expect(await listedAs()).toMatchObject([{ status: 'placed' }]);
  const known = { 'if-none-match': headers.get('etag')! };
  expect((await side.get('/v1/orders/o1', { headers: known })).status).toBe(200);
});

test('an entity tag outlives a rebuild that changes nothing, and a list is gone on with in the new version', async () => {
  const ids = ['o1', 'o2', 'o3'];
  for (const orderId of ids) await side.history(await place(side, orderId, {}, at));
  const { headers } = await side.get('/v1/orders/o1');
  const first = (await side.get<List & { next: string }>('/v1/orders?limit=2')).body;
  await side.rebuild(orders);
  side.pass(aWhile);
  const second = (await side.get<List>(`/v1/orders?limit=2&cursor=${first.next}`)).body;
  expect([...first.items, ...second.items]).toMatchObject(ids.toReversed().map((orderId) => ({ orderId })));
  const known = { 'if-none-match': headers.get('etag')! };
  expect((await side.get('/v1/orders/o1', { headers: known })).status).toBe(304);
});

test('a reader who waits for its write sees it in whichever version is read when it is there', async () => {
  await side.history(await place(side, 'o1', {}, at));
  await side.get('/v1/orders/o1');
  const token = await side.happen(confirmed('o1'));
  let isRebuilt = false;
  side.whileWaiting = async (milliseconds) => {
    side.pass(milliseconds);
    if (isRebuilt) return;
    isRebuilt = true;
    // The version that was read stays where it was.
    await side.rebuild(orders);
  };
  const headers = { 'consistency-token': token };
  expect((await side.get('/v1/orders/o1', { headers })).body).toMatchObject({ status: 'confirmed' });
  expect((await side.get('/v1/orders', { headers })).body).toMatchObject({ items: [{ status: 'confirmed' }] });
  expect(isRebuilt).toBe(true);
});
