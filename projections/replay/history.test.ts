import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { importHistory } from '../import/import-history.js';
import type { OlistOrder } from '../import/olist-folder.js';
import { historyOf } from '../import/olist-history.js';
import { replayHistory, type HistoryOptions } from './history.js';
import { replayOrder } from './order.js';
import type { PointInTime } from './point-in-time.js';

const day = (number: number) => new Date(Date.UTC(2017, 9, 1) + number * 86_400_000).toISOString();

function orderOf(index: number): OlistOrder {
  const statuses = ['delivered', 'canceled', 'unavailable', 'shipped'] as const;
  return {
    orderId: `o-${index}`,
    customerId: 'anna',
    status: statuses[index % 4]!,
    purchasedAt: day(index % 20),
    approvedAt: index % 9 === 0 ? null : day((index % 20) + (index % 3)),
    handedOverAt: index % 5 === 0 ? null : day((index % 20) + (index % 7) - 1),
    deliveredAt: index % 4 === 0 ? day((index % 20) + 6) : null,
    promisedBy: null,
    items: [],
    paid: null,
  };
}

const ids = Array.from({ length: 80 }, (_, index) => `o-${index}`);
let clock: VirtualClock;
let store: EventStore;

beforeEach(async () => {
  clock = virtualClock('2026-01-01T00:00:00Z');
  store = new MemoryEventStore(clock);
  for (let index = 0; index < ids.length; index += 8) {
    const some = Array.from({ length: 8 }, (_, offset) => historyOf(orderOf(index + offset)));
    await importHistory(store, some);
    clock.advance(1_000);
  }
});

async function history(at: PointInTime, options: HistoryOptions = {}) {
  const found = [];
  for await (const order of replayHistory(store, at, options)) found.push(order);
  return found.toSorted((one, other) => (one.orderId < other.orderId ? -1 : 1));
}

async function oneByOne(at: PointInTime) {
  const found = [];
  for (const id of ids.toSorted()) {
    try {
      found.push((await replayOrder(store, id, at)).order);
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
  }
  return found;
}

describe('replaying the whole history', () => {
  test('gives what replaying each order gives, at any time, however little fits into memory', async () => {
    const time = fc.integer({ min: -24, max: 30 * 24 }).map((hours) => day(hours / 24));
    const known = fc
      .integer({ min: 0, max: 12 })
      .map((seconds) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString());
    await fc.assert(
      fc.asyncProperty(time, fc.option(known), fc.integer({ min: 1, max: 100 }), async (asOf, knownAt, capacity) => {
        const at = { asOf, ...(knownAt !== null && { knownAt }) };
        expect(await history(at, { capacity })).toEqual(await oneByOne(at));
      }),
      { numRuns: 60 },
    );
  });

  test('an order without a purchase yet does not exist', async () => {
    expect(await history({ asOf: '2017-09-30T23:59:59.999Z' })).toEqual([]);
  });

  test('says how far it is', async () => {
    const head = await store.head();
    const told: number[][] = [];
    await history({}, { onProgress: (...progress) => told.push(progress) });
    expect(told.at(-1)).toEqual([head, head]);
  });

  test('an order whose events lie far apart is whole, whatever waits on disk', async () => {
    const late = historyOf({ ...orderOf(81), status: 'delivered', deliveredAt: day(25) });
    for (const { stream, expectedRevision, events } of late.steps.slice(0, -1)) {
      await store.append(stream, expectedRevision, events);
    }
    await importHistory(
      store,
      Array.from({ length: 300 }, (_, index) => historyOf(orderOf(1_000 + index))),
    );
    const { stream, expectedRevision, events } = late.steps.at(-1)!;
    await store.append(stream, expectedRevision, events);
    for (const capacity of [1, 3, 50, 10_000]) {
      const found = await history({}, { capacity });
      expect(found).toHaveLength(381);
      expect(found.find(({ orderId }) => orderId === 'o-81')).toEqual((await replayOrder(store, 'o-81', {})).order);
    }
  });

  test('a log in which something of an order lies before its placing is a fault, not a wrong answer', async () => {
    const [payment] = historyOf(orderOf(91)).steps.filter(({ stream }) => stream.startsWith('delivery-'));
    await store.append(payment!.stream, payment!.expectedRevision, payment!.events);
    await expect(history({})).rejects.toThrow('orders o-91 has events and no beginning');
  });
});
