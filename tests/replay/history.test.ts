import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import { appendUnreadable } from '@waybill/infra/event-store/testing/append-unreadable.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type {
  Cut,
  EventStore,
  LogPage,
  StreamMark,
  StreamCuts,
  BackwardsLogReader,
} from '@waybill/shared-kernel/ports/event-store.js';
import type { StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { importHistory } from '@waybill/cli/import/import-history.js';
import type { OlistOrder } from '@waybill/cli/import/olist-folder.js';
import { historyOf } from '@waybill/cli/import/olist-history.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { replayHistory, type HistoryOptions } from '@waybill/projections/replay/history.js';
import { replayOrder } from '@waybill/projections/replay/order.js';
import type { PointInTime } from '@waybill/projections/replay/point-in-time.js';

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

  test('leaves out, and names, the order of which something lies before its placing', async () => {
    const [payment] = historyOf(orderOf(91)).steps.filter(({ stream }) => stream.startsWith('delivery-'));
    await store.append(payment!.stream, payment!.expectedRevision, payment!.events);
    const leftOut: string[] = [];
    expect(await history({}, { onLeftOut: (orderId) => leftOut.push(orderId) })).toHaveLength(80);
    expect(leftOut).toEqual(['o-91']);
  });

  test('leaves out exactly the orders of which not every event can be had, and says why, however little fits into memory', async () => {
    const trouble = fc.record({
      index: fc.nat(79),
      section: fc.constantFrom('order', 'payment', 'delivery'),
      isCut: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(trouble, { maxLength: 5, selector: ({ index }) => index }),
        fc.integer({ min: 1, max: 200 }),
        async (troubles, capacity) => {
          const before = await history({});
          const expected = new Map<string, string>();
          let changed: ReplayedLog = store;
          for (const { index, section, isCut } of troubles) {
            const orderId = ids[index]!;
            const stream = orders.streams(orderId).find((name) => name.startsWith(section))!;
            const events = await store.readStream(stream, 0, 10);
            if (events.length < 2) continue;
            expected.set(orderId, isCut ? 'stream-cut' : 'stream-unreadable');
            changed = isCut ? withoutFirst(changed, stream) : withUnreadable(changed, stream, events.at(-1)!.revision);
          }
          const told = new Map<string, string>();
          const found = [];
          const onLeftOut = (orderId: string, { kind }: StreamFault) => told.set(orderId, kind);
          for await (const order of replayHistory(changed, {}, { capacity, onLeftOut })) found.push(order);
          expect(told).toEqual(expected);
          const rest = before.filter(({ orderId }) => !expected.has(orderId));
          expect(found.toSorted((one, other) => (one.orderId < other.orderId ? -1 : 1))).toEqual(rest);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('leaves out an order of which only its own unreadable event is there', async () => {
    await appendUnreadable(store, 'order-lost', -1);
    const leftOut: [string, string][] = [];
    await history({}, { onLeftOut: (orderId, { message }) => leftOut.push([orderId, message]) });
    expect(leftOut).toEqual([
      ['lost', expect.stringMatching(/revision 0 of stream order-lost, position \d+, cannot be read/)],
    ]);
  });
});

/** What a replay of the history asks of a log. */
type ReplayedLog = StreamCuts & BackwardsLogReader;

/** The log as it is when the first event of a stream was deleted from it. */
function withoutFirst(log: ReplayedLog, stream: string): ReplayedLog {
  return changing(log, {
    page: ({ events, ...page }) => ({
      ...page,
      events: events.filter((event) => event.stream !== stream || event.revision > 0),
    }),
    cutOf: (asked) => (asked === stream ? { firstRevision: 1 } : undefined),
  });
}

/** The log as it is when an event of a stream cannot be read. */
function withUnreadable(log: ReplayedLog, stream: string, revision: number): ReplayedLog {
  const isIt = (event: RecordedEvent) => event.stream === stream && event.revision === revision;
  return changing(log, {
    page: ({ events, marks, ...page }) => ({
      ...page,
      events: events.filter((event) => !isIt(event)),
      marks: [
        ...marks,
        ...events.filter(isIt).map(({ position }): StreamMark => ({
          stream,
          revision,
          position,
          why: 'unreadable',
          detail: 'it is broken',
        })),
      ],
    }),
    cutOf: () => undefined,
  });
}

interface Change {
  readonly page: (page: LogPage) => LogPage;
  readonly cutOf: (stream: string) => Cut | undefined;
}

function changing(log: ReplayedLog, { page, cutOf }: Change): ReplayedLog {
  return {
    readAllBackwards: async (...asked) => page(await log.readAllBackwards(...asked)),
    cutOf: async (stream) => cutOf(stream) ?? (await log.cutOf(stream)),
  };
}
