import { beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { EventStore, Appender, LogHead } from '@waybill/shared-kernel/ports/event-store.js';
import { importHistory } from './import-history.js';
import type { History } from './history.js';
import type { OlistOrder } from './olist-folder.js';
import { historyOf } from './olist-history.js';

const hour = (hours: number) => new Date(Date.UTC(2017, 9, 1, hours)).toISOString();

function orderAt(orderId: string, hours: number): OlistOrder {
  return {
    orderId,
    customerId: 'anna',
    status: 'delivered',
    purchasedAt: hour(hours),
    approvedAt: hour(hours + 1),
    handedOverAt: hour(hours + 20),
    deliveredAt: hour(hours + 90),
    promisedBy: null,
    items: [],
    paid: null,
  };
}

const histories: readonly History[] = Array.from({ length: 400 }, (_, index) =>
  historyOf(orderAt(`o-${index}`, (index * 7919) % 400)),
);
const events = histories.flatMap(({ steps }) => steps.flatMap((step) => step.events)).length;

let store: EventStore;

beforeEach(() => {
  store = new MemoryEventStore(virtualClock('2026-01-01T00:00:00Z'));
});

describe('importing histories', () => {
  test('appends all of them; a second run finds them and adds nothing', async () => {
    expect(await importHistory(store, histories)).toEqual({ added: events, refused: [] });
    expect(await importHistory(store, histories)).toEqual({ added: 0, refused: [] });
    expect(await store.head()).toBe(events);
  });

  test("the log's order follows the times at which things happened, and each order begins with its placing", async () => {
    await importHistory(store, histories);
    const log = (await store.readAll(0, events)).events;
    const seen = new Set<string>();
    for (const event of log) {
      if (!seen.has(event.partitionKey)) expect(event.type).toBe('OrderPlaced');
      seen.add(event.partitionKey);
    }
    const places = log.map((event, index) => [Date.parse(event.occurredAt), index] as const);
    const sorted = places.toSorted(([one], [other]) => one - other);
    const displacement = Math.max(...sorted.map(([, place], index) => Math.abs(place - index)));
    // No event is further from its place than appends are in flight.
    expect(displacement).toBeLessThan(300);
  });

  test('goes on where a store that broke down had left it', async () => {
    let left = 700;
    const breaking: Appender & LogHead = {
      head: () => store.head(),
      append: async (...append) => {
        left -= 1;
        if (left < 0) throw new Unavailable('event store', 'It is down.');
        return store.append(...append);
      },
    };
    await expect(importHistory(breaking, histories)).rejects.toThrow('It is down.');
    const there = await store.head();
    expect(there).toBeGreaterThan(0);
    expect(await importHistory(store, histories)).toEqual({ added: events - there, refused: [] });
  });

  test('an order that the log has with another history is refused, and nothing more of it is written', async () => {
    const other = historyOf({ ...orderAt('o-7', 0), customerId: 'bert' });
    await store.append('order-o-7', -1, other.steps[0]!.events);
    const { added, refused } = await importHistory(store, histories);
    expect(refused).toEqual([{ orderId: 'o-7', detail: expect.stringContaining('stream order-o-7') }]);
    expect(added).toBe(events - 6);
    expect(await store.readStream('order-o-7', 0, 10)).toHaveLength(1);
    expect(await store.readStream('payment-o-7', 0, 10)).toEqual([]);
  });

  test('tells how many events are done, rising to all of them', async () => {
    const told: number[] = [];
    await importHistory(store, histories, (done) => told.push(done));
    expect(told).toEqual(told.toSorted((one, other) => one - other));
    expect(told.at(-1)).toBe(events);
  });
});
