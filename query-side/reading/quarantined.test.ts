import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Problem } from '@waybill/infra/http/problem.js';
import {
  broken,
  cancelled,
  confirmed,
  happening,
  listed,
  positionAt,
  type Happening,
} from '@waybill/projections/testing/history.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { ada, bob, otto } from '../testing/callers.js';
import { place, schedule } from '../testing/orders.js';
import { type ReadSide, start } from '../testing/read-side.js';
import { readSideForEach } from '../testing/read-side-for-each.js';

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

const degraded = (type: string, revision: number, stream: string, since = start) => ({
  since,
  reason: `${type}, revision ${revision} of ${stream}, cannot be applied; it and what follows wait.`,
});

/** An order whose placing makes no sense, though it says whose it is. */
async function placedWithoutLines(orderId: string): Promise<Happening> {
  const { stream, event } = await place(side, orderId);
  return { stream, event: { ...event, data: { ...event.data, lines: null } } };
}

describe('an order with an event that cannot be applied', () => {
  const ofO1 = degraded('OrderCancelled', 1, 'order-o1');
  beforeEach(async () => {
    await side.history(await place(side, 'o1'), await place(side, 'o2'), broken(cancelled('o1')), confirmed('o2'));
  });

  test('is shown as it was before, and says so; others are as ever', async () => {
    const { status, body } = await side.get('/v1/orders/o1', ada);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'placed', revision: 0, degraded: ofO1, freshness: { lagMs: 0 } });
    expect((await side.get('/v1/orders/o2')).body).not.toHaveProperty('degraded');
    const list = await side.get<{ items: readonly unknown[] }>('/v1/orders');
    expect(list.body.items).toEqual([
      expect.objectContaining({ orderId: 'o2', status: 'confirmed' }),
      expect.objectContaining({ orderId: 'o1', status: 'placed', degraded: ofO1 }),
    ]);
  });

  test('gets another entity tag than it had before', async () => {
    await side.history(await place(side, 'o3'));
    const before = (await side.get('/v1/orders/o3')).headers.get('etag')!;
    await side.history(broken(cancelled('o3')));
    const headers = { 'If-None-Match': before };
    expect((await side.get('/v1/orders/o3', { headers })).status).toBe(200);
  });

  test('holds no reader up who waits for a later write of it, and says that the write is not in it', async () => {
    const token = await side.happen(confirmed('o1'));
    side.whileWaiting = () => side.project();
    const headers = { 'Consistency-Token': token };
    const { status, body } = await side.get('/v1/orders/o1', { ...ada, headers });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'placed', degraded: ofO1 });
    expect((await side.get('/v1/orders', { ...ada, headers })).status).toBe(200);
  });

  test('has a past, as far as that can be told, and a timeline with every event', async () => {
    await side.history(confirmed('o1'));
    const past = await side.get('/v1/orders/o1?asOf=2026-12-31T00:00:00Z', ada);
    expect(past.body).toMatchObject({ status: 'placed', revision: 0, degraded: ofO1 });
    const before = await side.get('/v1/orders/o1?knownAt=2020-01-01T00:00:00Z', ada);
    expect(before.status).toBe(404);
    const timeline = await side.get<{ events: readonly { type: string }[] }>('/v1/orders/o1/timeline', ada);
    expect(timeline.body.events.map(({ type }) => type)).toEqual(['OrderPlaced', 'OrderCancelled', 'OrderConfirmed']);
  });
});

describe('an order whose first event cannot be applied', () => {
  const problem = {
    type: 'urn:waybill:problem:quarantined',
    status: 503,
    degraded: degraded('OrderPlaced', 0, 'order-o1'),
  };
  beforeEach(async () => {
    await side.history(await placedWithoutLines('o1'), confirmed('o1'));
  });

  test('is a problem that says so, to those who may know of it, and in no list', async () => {
    for (const as of [{}, otto]) {
      const { status, body, headers } = await side.get<Problem>('/v1/orders/o1', as);
      expect(status).toBe(503);
      expect(body).toMatchObject(problem);
      expect(headers.get('retry-after')).toBe('60');
    }
    expect((await side.get('/v1/orders/o1', bob)).status).toBe(404);
    expect((await side.get<{ items: unknown[] }>('/v1/orders')).body.items).toEqual([]);
  });

  test('is that too for who waits for it', async () => {
    const headers = { 'Consistency-Token': await side.happen(cancelled('o1')) };
    side.whileWaiting = () => side.project();
    expect((await side.get<Problem>('/v1/orders/o1', { headers })).body).toMatchObject(problem);
  });
});

describe('other documents', () => {
  test('a delivery, while its order goes on', async () => {
    await side.history(await place(side, 'o1'), await schedule(side, 'o1'), broken(positionAt('o1', 52, start)));
    const id = deliveryIdOf('o1');
    expect((await side.get(`/v1/deliveries/${id}`)).body).toMatchObject({
      status: 'open',
      degraded: degraded('DeliveryPositionReported', 1, `delivery-${id}`),
    });
    expect((await side.get('/v1/orders/o1')).body).not.toHaveProperty('degraded');
  });

  test('a delivery of which nothing can be shown', async () => {
    await side.history(await place(side, 'o1'), broken(await schedule(side, 'o1')));
    const path = `/v1/deliveries/${deliveryIdOf('o1')}`;
    expect((await side.get(path)).status).toBe(503);
    expect((await side.get(path, ada)).status).toBe(404);
    expect((await side.get('/v1/orders/o1')).body).toHaveProperty('degraded');
  });

  test('a product and a customer', async () => {
    const price = { productId: 'P-1', unitPrice: 1, currency: 'EUR' };
    const registered = { customerId: 'ada', name: 'x', phone: 'x', address: 'x' };
    await side.history(
      listed('P-1'),
      broken(happening('product-P-1', 'P-1', { type: 'ProductPriceChanged', data: price })),
      broken(listed('P-2')),
      broken(happening('customer-ada', 'ada', { type: 'CustomerRegistered', data: registered })),
    );
    expect((await side.get('/v1/products/P-1')).body).toMatchObject({
      unitPrice: { amount: 4500 },
      degraded: degraded('ProductPriceChanged', 1, 'product-P-1'),
    });
    expect((await side.get('/v1/products/P-2')).status).toBe(503);
    expect((await side.get('/v1/customers/ada', ada)).status).toBe(503);
    expect((await side.get('/v1/customers/ada', bob)).status).toBe(404);
  });
});
