import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { foldDocument, inCategoryOrder } from '@waybill/projections/read-models/fold-document.js';
import { historyOf } from '@waybill/cli/import/olist-history.js';
import type { OlistOrder } from '@waybill/cli/import/olist-folder.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { fragile } from '@waybill/projections/testing/fragile.js';
import { DocumentFold } from '@waybill/projections/audit/document-fold.js';

/** Events of one order, with their revisions, not yet placed in a log. */
function eventsOf(order: OlistOrder): RecordedEvent[] {
  return historyOf(order).steps.flatMap(({ stream, expectedRevision, events }) =>
    events.map((event, index) => ({
      ...event,
      stream,
      revision: expectedRevision + 1 + index,
      position: 0,
      recordedAt: '2026-01-01T00:00:00.000Z',
    })),
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
const log: fc.Arbitrary<readonly RecordedEvent[]> = fc
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

function plainly(events: readonly RecordedEvent[]) {
  const ids = new Set(events.map((event) => event.partitionKey));
  const own = (id: string) => events.filter((event) => event.partitionKey === id).map((event) => upcast(event));
  return new Map([...ids].map((id) => [id, foldDocument(orders, own(id))]));
}

function folded(events: readonly RecordedEvent[], capacity: number, projection = orders) {
  const fold = new DocumentFold(projection, capacity);
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
      { numRuns: runs(60, 500) },
    );
  });

  test('knows of each stream the positions of the first and the last event', () => {
    fc.assert(
      fc.property(log, fc.integer({ min: 1, max: 30 }), (events, capacity) => {
        for (const document of folded(events, capacity).values()) {
          for (const { stream, first, last } of Object.values(document.streams)) {
            const own = events.filter((event) => event.stream === stream).map(({ position }) => position);
            expect([first, last]).toEqual([own[0], own.at(-1)]);
          }
        }
      }),
      { numRuns: runs(15, 150) },
    );
  });

  test('leaves a section as it was before an event that cannot be applied, and says so', () => {
    fc.assert(
      fc.property(
        log,
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        (events, capacity, picks) => {
          const breaks = new Map(picks.map((pick) => [events[pick % events.length]!.id, 'fold'] as const));
          const stuck = new Set<string>();
          const applied = events.filter(({ id, stream }) => {
            if (breaks.has(id)) stuck.add(stream);
            return !stuck.has(stream);
          });
          const documents = folded(events, capacity, fragile(orders, breaks));
          const whole = plainly(applied);
          for (const [key, document] of documents) {
            expect(inCategoryOrder(orders, document)).toEqual(whole.get(key) ?? { revisions: {}, sections: {} });
            const streams = Object.entries(document.streams).filter(([, { stream }]) => stuck.has(stream));
            expect(Object.keys(document.stuck).sort()).toEqual(streams.map(([section]) => section).sort());
          }
        },
      ),
      { numRuns: runs(30, 300) },
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
