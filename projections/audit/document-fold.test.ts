import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { foldDocument, inCategoryOrder } from '../fold-document.js';
import { historyOf } from '../import/olist-history.js';
import type { OlistOrder } from '../import/olist-folder.js';
import { orders } from '../orders.js';
import { DocumentFold } from './document-fold.js';

/** Events of one order, with their revisions, not yet placed in a log. */
function eventsOf(order: OlistOrder): KnownEvent[] {
  return historyOf(order).steps.flatMap(({ stream, expectedRevision, events }) =>
    events.map((event, index) =>
      upcast({
        ...event,
        stream,
        revision: expectedRevision + 1 + index,
        position: 0,
        recordedAt: '2026-01-01T00:00:00.000Z',
      }),
    ),
  );
}

const time = fc.integer({ min: 0, max: 30 }).map((days) => new Date(Date.UTC(2017, 9, 1 + days)).toISOString());
const orderOf = (orderId: string): fc.Arbitrary<OlistOrder> =>
  fc.record({
    orderId: fc.constant(orderId),
    customerId: fc.constantFrom('anna', 'bert'),
    status: fc.constantFrom('delivered', 'canceled', 'unavailable'),
    purchasedAt: time,
    approvedAt: fc.option(time),
    handedOverAt: fc.option(time),
    deliveredAt: fc.option(time),
    promisedBy: fc.option(time),
    items: fc.constant([{ number: 1, productId: 'hat', sellerId: 'shop', price: 990, freight: 1 }]),
    paid: fc.option(fc.nat()),
  });

/** A log of some orders: each stream in revision order, otherwise in any order, some events left out. */
const log: fc.Arbitrary<readonly KnownEvent[]> = fc
  .tuple(...Array.from({ length: 12 }, (_, index) => orderOf(`o-${index}`)))
  .chain((histories) => {
    const events = histories.flatMap(eventsOf);
    return fc.tuple(
      fc.constant(events),
      fc.array(fc.nat(1_000_000), { minLength: events.length, maxLength: events.length }),
      fc.array(fc.boolean(), { minLength: events.length, maxLength: events.length }),
    );
  })
  .map(([events, keys, kept]) => {
    const lastOfStream = new Map<string, number>();
    const placed = events.map((event, index) => {
      const at = Math.max(keys[index]!, lastOfStream.get(event.stream) ?? 0);
      lastOfStream.set(event.stream, at);
      return { event, at, kept: kept[index]! || event.revision === 0 };
    });
    return placed
      .toSorted((one, other) => one.at - other.at)
      .filter((entry) => entry.kept)
      .map(({ event }, index) => ({ ...event, position: index + 1 }));
  });

function plainly(events: readonly KnownEvent[]) {
  const ids = new Set(events.map((event) => event.partitionKey));
  const own = (id: string) => events.filter((event) => event.partitionKey === id);
  return new Map([...ids].map((id) => [id, foldDocument(orders, own(id))]));
}

function folded(events: readonly KnownEvent[], capacity: number) {
  const fold = new DocumentFold(orders, capacity);
  try {
    for (const event of events) fold.add(event);
    const entries = [...fold.buckets()].flatMap((bucket) => [...bucket]);
    expect(new Set(entries.map(([key]) => key)).size).toBe(entries.length);
    return new Map(entries);
  } finally {
    fold.close();
  }
}

describe('folding a log in bounded memory', () => {
  test('gives what folding each document alone gives, however few documents fit into memory', () => {
    fc.assert(
      fc.property(log, fc.integer({ min: 1, max: 30 }), (events, capacity) => {
        const documents = folded(events, capacity);
        const inOrder = [...documents].map(([key, document]) => [key, inCategoryOrder(orders, document)] as const);
        expect(new Map(inOrder)).toEqual(plainly(events));
      }),
      { numRuns: 200 },
    );
  });

  test('knows of each stream the positions of the first and the last event that it folded', () => {
    fc.assert(
      fc.property(log, fc.integer({ min: 1, max: 30 }), (events, capacity) => {
        for (const document of folded(events, capacity).values()) {
          for (const { stream, first, last } of Object.values(document.streams)) {
            const own = events.filter((event) => event.stream === stream).map(({ position }) => position);
            expect([first, last]).toEqual([own[0], own.at(-1)]);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test('passes by what its projection does not fold', () => {
    const event = eventsOf({
      orderId: 'o-1',
      customerId: 'anna',
      status: 'created',
      purchasedAt: '2017-10-01T00:00:00.000Z',
      approvedAt: null,
      handedOverAt: null,
      deliveredAt: null,
      promisedBy: null,
      items: [],
      paid: null,
    })[0]!;
    expect(
      folded(
        [
          { ...event, stream: 'fulfilment-o-1' },
          { ...event, stream: 'nonsense' },
        ],
        10,
      ).size,
    ).toBe(0);
  });
});
