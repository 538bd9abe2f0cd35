import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Problem } from '@waybill/infra/http/problem.js';
import type { Freshness } from '../reading/freshness.js';
import {
  assigned,
  broken,
  cancelled,
  completed,
  confirmed,
  dispatched,
  onDelivery,
  pickedUp,
  positionAt,
} from '@waybill/projections/testing/history.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { ada, bob, carl, cleo, lumen, olive, otto } from '../testing/callers.js';
import { place, schedule } from '../testing/orders.js';
import { start, type CallAs, type ReadSide } from '../testing/read-side.js';
import { readSideForEach } from '../testing/read-side-for-each.js';
import type { Tracking } from './track-order.js';

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

/** So many seconds after the start. */
const at = (second: number) => ({ at: new Date(Date.parse(start) + second * 1000).toISOString() });
const of = { deliveryId: deliveryIdOf('o1'), orderId: 'o1' };
const released = onDelivery('o1', { type: 'DeliveryReleased', data: { ...of, courierId: 'cleo' } });

type Tracked = Tracking & { readonly freshness: Freshness };
const ask = (as: CallAs = ada, query = '') => side.get<Tracked>(`/v1/orders/o1/tracking${query}`, as);

async function tracking(as?: CallAs): Promise<Omit<Tracked, 'freshness'>> {
  const { status, text, body } = await ask(as);
  expect({ status, text }).toEqual({ status: 200, text });
  const { freshness: _freshness, ...tracked } = body;
  return tracked;
}

beforeEach(async () => {
  await side.history(await place(side, 'o1'), confirmed('o1'), await schedule(side, 'o1'));
});

async function sendOff(): Promise<void> {
  await side.history(assigned('o1', 'cleo'), dispatched('o1', at(0)), pickedUp('o1', at(0)));
}

describe('an order on its way', () => {
  beforeEach(sendOff);

  test('is where its courier was last, so and so long ago', async () => {
    expect(await tracking()).toEqual({ orderId: 'o1', status: 'out_for_delivery', courierId: 'cleo' });
    side.pass(20_000);
    await side.history(positionAt('o1', 37.5, at(10).at));
    const known = { latitude: 37.5, longitude: 4.9, at: at(10).at };
    const { body, headers } = await ask();
    expect(body).toEqual({
      orderId: 'o1',
      status: 'out_for_delivery',
      courierId: 'cleo',
      position: { ...known, ageSeconds: 10 },
      freshness: { projectedAt: at(20).at, lagMs: 0 },
    });
    expect([headers.get('cache-control'), headers.get('etag')]).toEqual(['no-store', null]);
    side.pass(5_999);
    expect((await tracking()).position).toEqual({ ...known, ageSeconds: 15 });
  });

  test('does not go back on the map, and is nowhere in the future', async () => {
    await side.history(positionAt('o1', 37.5, at(30).at), positionAt('o1', 37.6, at(29).at));
    expect((await tracking()).position).toEqual({ latitude: 37.5, longitude: 4.9, at: at(30).at, ageSeconds: 0 });
  });

  test('is seen by its parties, the same by each', async () => {
    await side.history(positionAt('o1', 37.5, at(0).at));
    const seen = await tracking();
    for (const as of [cleo, lumen, olive, otto]) expect(await tracking(as)).toEqual(seen);
    expect(JSON.stringify(seen)).not.toContain('Seoul');
  });

  test.each([
    ['another customer', bob],
    ['another courier', carl],
    ['another merchant', { sub: 'm9', roles: ['merchant'] } satisfies CallAs],
    ["a courier with the customer's id", { sub: 'ada', roles: ['courier'] } satisfies CallAs],
  ])('is not there for %s', async (_who, as) => {
    const hidden = await side.get<Problem>('/v1/orders/o1/tracking', as);
    const missing = await side.get<Problem>('/v1/orders/o2/tracking', as);
    expect(hidden.status).toBe(404);
    expect(hidden.text.replaceAll('o1', 'o2')).toBe(missing.text);
  });

  test('takes no parameters', async () => {
    for (const query of ['?asOf=2026-03-01T12:00:00Z', '?since=1']) {
      expect((await ask(ada, query)).status).toBe(400);
    }
  });

  test('is there as soon as it took others of late', async () => {
    expect((await tracking()).estimatedArrival).toBeUndefined();
    for (const [index, minutes] of [50, 10, 20].entries()) {
      const orderId = `before${index}`;
      const there = { at: new Date(Date.parse(start) + minutes * 60_000).toISOString() };
      await side.happen(await schedule(side, orderId), assigned(orderId), pickedUp(orderId), completed(orderId, there));
    }
    await side.project();
    expect((await tracking()).estimatedArrival).toBe(at(20 * 60).at);
    side.pass(20 * 60_000);
    expect((await tracking()).estimatedArrival).toBeUndefined();
  });
});

describe('an order that', () => {
  test('waits for a courier is with nobody', async () => {
    expect(await tracking()).toEqual({ orderId: 'o1', status: 'confirmed' });
  });

  test('is to be fetched is with the courier who fetches it', async () => {
    await side.history(assigned('o1', 'cleo'), positionAt('o1', 37.5, at(0).at));
    expect(await tracking()).toMatchObject({ status: 'confirmed', courierId: 'cleo', position: { latitude: 37.5 } });
    await side.history(released);
    expect(await tracking()).toEqual({ orderId: 'o1', status: 'confirmed' });
    await side.history(assigned('o1', 'carl'));
    expect(await tracking(carl)).toEqual({ orderId: 'o1', status: 'confirmed', courierId: 'carl' });
    expect((await ask(cleo)).status).toBe(404);
  });

  test('was promised is to be expected by then', async () => {
    const promisedBy = at(3600).at;
    await side.history(await place(side, 'o2', { promisedBy }));
    const { body } = await side.get<Tracked>('/v1/orders/o2/tracking');
    expect(body).toMatchObject({ orderId: 'o2', status: 'placed', estimatedArrival: promisedBy });
  });

  test('is there is no longer anywhere, though its courier is known', async () => {
    await sendOff();
    await side.history(positionAt('o1', 37.5, at(0).at), completed('o1', at(9)));
    for (const as of [ada, cleo, olive]) {
      expect(await tracking(as)).toEqual({ orderId: 'o1', status: 'delivered', courierId: 'cleo' });
    }
    // After erasure all is as before: where somebody lives was not in it.
    await side.keys.destroy('ada');
    expect(await tracking(olive)).toEqual({ orderId: 'o1', status: 'delivered', courierId: 'cleo' });
  });

  test('goes back is with its courier until it is back, and comes no more', async () => {
    await sendOff();
    const failed = { ...of, reason: 'nobody home', next: 'return' } as const;
    await side.history(positionAt('o1', 37.5, at(0).at), onDelivery('o1', { type: 'DeliveryFailed', data: failed }));
    expect(await tracking()).toMatchObject({ status: 'delivery_failed', position: { latitude: 37.5 } });
    await side.history(onDelivery('o1', { type: 'DeliveryReturned', data: of }));
    expect(await tracking()).toEqual({ orderId: 'o1', status: 'delivery_failed', courierId: 'cleo' });
  });

  test('is cancelled is with nobody, whether or not its delivery knows', async () => {
    await side.history(assigned('o1', 'cleo'), positionAt('o1', 37.5, at(0).at), cancelled('o1'));
    expect(await tracking()).toEqual({ orderId: 'o1', status: 'cancelled' });
    const data = { ...of, reason: 'the order was cancelled' };
    await side.history(onDelivery('o1', { type: 'DeliveryCancelled', data }));
    expect(await tracking()).toEqual({ orderId: 'o1', status: 'cancelled' });
  });

  test('is imported history is tracked like it: nobody knows by whom, and it comes no more', async () => {
    const history = { imported: true } as const;
    const promisedBy = at(3600).at;
    const pickUp = {
      type: 'DeliveryPickedUp',
      data: { deliveryId: deliveryIdOf('old'), orderId: 'old', courierId: null },
    };
    await side.history(
      await place(side, 'old', { promisedBy }, history),
      await schedule(side, 'old', history),
      onDelivery('old', pickUp as Parameters<typeof onDelivery>[1], history),
    );
    const { body } = await side.get<Tracked>('/v1/orders/old/tracking');
    expect(body).toEqual({ orderId: 'old', status: 'out_for_delivery', freshness: expect.anything() as unknown });
  });

  test('is not there is not found', async () => {
    expect((await side.get('/v1/orders/none/tracking')).status).toBe(404);
  });
});

describe('a write', () => {
  beforeEach(sendOff);

  test('is waited for, by those who may see the order', async () => {
    const headers = { 'Consistency-Token': await side.happen(positionAt('o1', 37.5, at(0).at)) };
    expect((await ask({ ...carl, headers })).status).toBe(404);
    expect(side.waited).toBe(0);
    side.whileWaiting = () => side.project();
    expect((await ask({ ...ada, headers })).body).toMatchObject({ position: { latitude: 37.5 } });
    expect(side.waited).toBeGreaterThan(0);
  });

  test('that is not projected in time is answered with 503', async () => {
    const headers = { 'Consistency-Token': await side.happen(positionAt('o1', 37.5, at(0).at)), Prefer: 'wait=1' };
    const { status, body } = await side.get<Problem>('/v1/orders/o1/tracking', { ...ada, headers });
    expect([status, body.type]).toEqual([503, 'urn:waybill:problem:read-model-behind']);
  });

  test('that nobody waits for is missing, and the answer says how far it is behind', async () => {
    await side.happen(positionAt('o1', 37.5, at(0).at));
    side.pass(700);
    const { body } = await ask();
    expect(body.position).toBeUndefined();
    expect(body.freshness).toMatchObject({ lagMs: 700 });
  });
});

test('an order whose delivery stands still says so', async () => {
  await sendOff();
  await side.history(broken(positionAt('o1', 37.5, at(0).at)));
  expect(await tracking()).toMatchObject({
    status: 'out_for_delivery',
    degraded: { reason: expect.stringContaining('DeliveryPositionReported') as unknown },
  });
});
