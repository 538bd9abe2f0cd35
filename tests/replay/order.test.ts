import { beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { OlistOrder } from '@waybill/cli/import/olist-folder.js';
import { historyOf } from '@waybill/cli/import/olist-history.js';
import { replayOrder } from '@waybill/projections/replay/order.js';

const order: OlistOrder = {
  orderId: 'o-1',
  customerId: 'anna',
  status: 'delivered',
  purchasedAt: '2017-10-02T10:00:00.000Z',
  approvedAt: '2017-10-02T11:00:00.000Z',
  handedOverAt: '2017-10-04T12:00:00.000Z',
  deliveredAt: '2017-10-10T13:00:00.000Z',
  promisedBy: null,
  items: [],
  paid: null,
};

let clock: VirtualClock;
let store: EventStore;

/** Recorded a day after one another, from 1 January 2026 on. */
beforeEach(async () => {
  clock = virtualClock('2026-01-01T00:00:00Z');
  store = new MemoryEventStore(clock);
  for (const { stream, expectedRevision, events } of historyOf(order).steps) {
    await store.append(stream, expectedRevision, events);
    clock.advance(86_400_000);
  }
});

describe('replaying an order', () => {
  test('as it stands, with every event of its streams in the order of the log', async () => {
    const replayed = await replayOrder(store, 'o-1', {});
    expect(replayed.order).toMatchObject({ orderId: 'o-1', status: 'delivered', revision: 1 });
    expect(replayed.events.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test.each([
    ['2017-10-02T10:00:00.000Z', 'placed'],
    ['2017-10-02T10:59:59.999Z', 'placed'],
    ['2017-10-02T11:00:00.000Z', 'confirmed'],
    ['2017-10-04T12:00:00.000Z', 'out_for_delivery'],
    ['2017-10-10T13:00:00.000Z', 'delivered'],
  ])('as of %s it was %s, that time included', async (asOf, status) => {
    expect((await replayOrder(store, 'o-1', { asOf })).order.status).toBe(status);
  });

  test.each([
    ['2026-01-01T00:00:00.000Z', 'placed'],
    ['2026-01-02T00:00:00.000Z', 'confirmed'],
    ['2026-01-04T00:00:00.000Z', 'out_for_delivery'],
  ])('known at %s it was %s, whatever had happened', async (knownAt, status) => {
    expect((await replayOrder(store, 'o-1', { knownAt })).order.status).toBe(status);
  });

  test('both bounds hold together', async () => {
    const at = { asOf: '2017-10-10T13:00:00.000Z', knownAt: '2026-01-02T00:00:00.000Z' };
    expect((await replayOrder(store, 'o-1', at)).order.status).toBe('confirmed');
  });

  test('at a revision of its stream: what the log held of it when it had that', async () => {
    const first = await replayOrder(store, 'o-1', { revision: 0 });
    expect(first.order).toMatchObject({ status: 'placed', revision: 0, payment: { status: 'none' } });
    expect(first.events).toHaveLength(1);
    const second = await replayOrder(store, 'o-1', { revision: 1 });
    expect(second.order).toMatchObject({ status: 'confirmed', revision: 1 });
  });

  test('there is none of an unknown id, before it was placed, or at a revision that it has not', async () => {
    await expect(replayOrder(store, 'o-2', {})).rejects.toThrow(NotFound);
    await expect(replayOrder(store, 'o-1', { asOf: '2017-10-02T09:59:59.999Z' })).rejects.toThrow(
      'There was no order o-1 at that time.',
    );
    await expect(replayOrder(store, 'o-1', { revision: 2 })).rejects.toThrow('There is no revision 2 of order o-1.');
  });
});
