import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openMemorySnapshotStore } from '@waybill/infra/snapshots/memory/snapshot-store.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { ConcurrentRequest, InvalidInput, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { StockItem } from '@waybill/shared-kernel/events/fulfilment.js';
import type { ProductEvent } from '@waybill/shared-kernel/events/product.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import { AggregateStreams, type AggregateLog } from '../handling/aggregate-streams.js';
import { envelopes, type Cause } from '../handling/envelope.js';
import { LiveLook } from '../handling/live-look.js';
import { AggregateSnapshots } from '../handling/snapshots/aggregate-snapshots.js';
import { FaultyStore, type Fate } from '../testing/faulty-store.js';
import { product } from './product.js';
import { StockKeeper, type Reservation } from './stock-keeper.js';

const clock = virtualClock('2026-01-01T10:00:00Z');

function causeOf(what: string): Cause {
  const id = uuidV5(what, '0a9f6d1e-3f51-4c8e-9d37-6d1f0a2b3c4d');
  const traceparent = `00-${id.replaceAll('-', '')}-0102030405060708-01`;
  const occurredAt = '2026-01-01T10:00:00.000Z';
  return { id, occurredAt, correlationId: `placement of ${what}`, traceparent, actor: undefined, request: undefined };
}

/** What merchants do, in a process of their own. */
async function happens(store: EventStore, ...events: readonly ProductEvent[]): Promise<void> {
  for (const event of events) {
    const { productId } = event.data;
    const streams = new AggregateStreams(store, 'product', product);
    const loaded = await streams.load(productId);
    await streams.append(
      productId,
      loaded,
      envelopes([event], productId, causeOf(`${productId} ${loaded.revision}`), systemRandomness),
    );
  }
}

const listed = (productId: string, stock: number | null): ProductEvent => ({
  type: 'ProductListed',
  data: { productId, merchantId: 'm1', name: 'Tea', unitPrice: 500, currency: 'KRW', stock },
});
const changed = (productId: string, change: number, stock: number): ProductEvent => ({
  type: 'ProductStockChanged',
  data: { productId, change, stock },
});

/** That of a process which has just started. `keepRuled`: how many requests it remembers of a product. */
function keeperOn(store: AggregateLog, keepRuled = 5_000): StockKeeper {
  const products = new AggregateStreams(store, 'product', product, { keepRuled });
  return new StockKeeper(products, { timer: systemTimer, randomness: systemRandomness });
}

const one = (productId: string): readonly StockItem[] => [{ productId, quantity: 1 }];
const orders = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `o${index}`);
const isReserved = (reservation: Reservation): boolean => 'reserved' in reservation;

async function stockOf(store: EventStore, productId: string): Promise<number | null> {
  const { state } = await new AggregateStreams(store, 'product', product).load(productId);
  return state.status === 'none' ? null : state.stock;
}

const eventsOf = (store: EventStore, productId: string): Promise<readonly RecordedEvent[]> =>
  store.readStream(`product-${productId}`, 0, 1_000);

/** Processes on one log: each has a store of its own where it can. */
interface Processes {
  readonly stores: readonly EventStore[];
  readonly dispose: () => Promise<void>;
}

const logs: readonly (readonly [name: string, open: () => Promise<Processes>])[] = [
  [
    'in memory',
    async () => {
      const store = new MemoryEventStore(clock);
      return { stores: [store, store, store, store], dispose: () => store.close() };
    },
  ],
  [
    'in one SQLite file',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'waybill-stock-'));
      const stores = Array.from({ length: 4 }, () => openSqliteEventStore(join(folder, 'log.sqlite'), { clock }));
      return {
        stores,
        dispose: async () => {
          await Promise.all(stores.map((store) => store.close()));
          await rm(folder, { recursive: true });
        },
      };
    },
  ],
];

describe.each(logs)('the stock of a hot product, log %s', (_, open) => {
  let processes: Processes;
  let keepers: readonly StockKeeper[];
  let store: EventStore;
  beforeEach(async () => {
    processes = await open();
    store = processes.stores[0]!;
    keepers = processes.stores.map(keeperOn);
    await happens(store, listed('tea', 50), listed('cup', 1), listed('milk', 1), listed('air', null));
  });
  afterEach(() => processes.dispose());

  test('200 buyers for 50 pieces, each asking two processes: 50 have one, and none is oversold', async () => {
    const buyers = orders(200);
    const [first, second] = await Promise.all(
      [0, 1].map((shift) =>
        Promise.all(
          buyers.map((orderId, index) =>
            keepers[(index + shift) % keepers.length]!.reserve(orderId, one('tea'), causeOf(orderId)),
          ),
        ),
      ),
    );
    const served = buyers.filter((_unused, index) => isReserved(first![index]!));
    expect(served).toHaveLength(50);
    const held = (await eventsOf(store, 'tea')).filter(({ type }) => type === 'StockReserved');
    expect(held.map(({ data }) => data['stock'])).toEqual(Array.from({ length: 50 }, (_unused, index) => 49 - index));
    expect(held.map(({ data }) => data['orderId']).toSorted()).toEqual(served.toSorted());
    expect(second).toEqual(first);
    expect(await stockOf(store, 'tea')).toBe(0);
    expect(first!.filter((reservation) => !isReserved(reservation))).toEqual(
      Array.from({ length: 150 }, () => ({ refused: 'tea' })),
    );

    const givenBack = served.slice(0, 10);
    await Promise.all(
      givenBack.flatMap((orderId) =>
        [0, 1].map((shift) => keepers[shift]!.release(orderId, one('tea'), true, causeOf(`cancelled ${orderId}`))),
      ),
    );
    expect(await stockOf(store, 'tea')).toBe(10);
    const late = await Promise.all(
      orders(30).map((orderId) => keepers[2]!.reserve(`late-${orderId}`, one('tea'), causeOf(`late ${orderId}`))),
    );
    expect(late.filter(isReserved)).toHaveLength(10);
    expect(await stockOf(store, 'tea')).toBe(0);
  });

  test('an order has of each product what it needs, and is told of the first there is too little of', async () => {
    const [keeper, other] = keepers as readonly [StockKeeper, StockKeeper];
    const items = ['tea', 'air', 'milk', 'cup'].map((productId) => ({ productId, quantity: 1 }));
    const counted = items.filter(({ productId }) => productId !== 'air');
    const both = await Promise.all([
      keeper.reserve('o1', items, causeOf('o1')),
      other.reserve('o2', items.toReversed(), causeOf('o2')),
    ]);
    const inOrder = counted.toSorted((a, b) => (a.productId < b.productId ? -1 : 1));
    expect(both.toSorted((a) => (isReserved(a) ? -1 : 1))).toEqual([{ reserved: inOrder }, { refused: 'cup' }]);
    expect(await eventsOf(store, 'air')).toHaveLength(1);

    // What was asked for before the one that is missing stays with the order until it is let go.
    const more = [...one('cup'), { productId: 'alder', quantity: 1 }, { productId: 'birch', quantity: 2 }];
    await happens(store, listed('alder', 1), listed('birch', 5));
    expect(await keeper.reserve('o3', more, causeOf('o3'))).toEqual({ refused: 'cup' });
    expect([await stockOf(store, 'alder'), await stockOf(store, 'birch')]).toEqual([0, 3]);
    await other.release('o3', more, false, causeOf('o3 rejected'));
    expect([await stockOf(store, 'alder'), await stockOf(store, 'birch')]).toEqual([1, 5]);
    expect(await keeper.reserve('o3', more, causeOf('o3'))).toEqual({ refused: 'alder' });
  });

  test('what is let go before it is asked for, is never had', async () => {
    await keepers[0]!.release('o1', one('tea'), false, causeOf('o1 cancelled'));
    expect(await keepers[1]!.reserve('o1', one('tea'), causeOf('o1'))).toEqual({ refused: 'tea' });
    expect(await stockOf(store, 'tea')).toBe(50);
  });

  test('an append that was lost, or done and not heard of, is asked for again', async () => {
    const faulty = new FaultyStore(store);
    const buyers = orders(80);
    const reserveAll = (keeper: StockKeeper) =>
      Promise.allSettled(buyers.map((orderId) => keeper.reserve(orderId, one('tea'), causeOf(orderId))));
    for (const fate of ['lost', 'cut off'] as const) {
      faulty.fate = () => fate;
      for (const outcome of await reserveAll(keeperOn(faulty))) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(Unavailable) });
      }
      expect(await stockOf(store, 'tea')).toBe(fate === 'lost' ? 50 : 0);
    }
    faulty.fate = () => 'done';
    const told = await reserveAll(keeperOn(faulty));
    expect(told.map(({ status }) => status)).toEqual(buyers.map(() => 'fulfilled'));
    const served = told.filter((outcome) => outcome.status === 'fulfilled' && isReserved(outcome.value));
    expect(served).toHaveLength(50);
    expect(await eventsOf(store, 'tea')).toHaveLength(51);
  });
});

describe('one writer for each product', () => {
  const store = () => new MemoryEventStore(clock);

  test('takes those who wait together: no conflicts, and a read for each append', async () => {
    const log = store();
    await happens(log, listed('tea', 1_000));
    const calls = { appends: [] as number[], reads: 0, conflicts: 0 };
    const keeper = keeperOn({
      append: async (...asked) => {
        calls.appends.push(asked[2].length);
        return log.append(...asked).catch((error: unknown) => {
          calls.conflicts += 1;
          throw error;
        });
      },
      readStream: (...asked) => {
        calls.reads += 1;
        return log.readStream(...asked);
      },
      cutOf: (stream) => log.cutOf(stream),
    });
    await Promise.all(orders(250).map((orderId) => keeper.reserve(orderId, one('tea'), causeOf(orderId))));
    expect(calls).toEqual({ appends: [100, 100, 50], reads: 3, conflicts: 0 });
    await keeper.reserve('later', one('tea'), causeOf('later'));
    expect(calls.appends).toEqual([100, 100, 50, 1]);
  });

  test('takes fewer together where the store takes no more at once, and blames none of them but one that is too large', async () => {
    const log = store();
    await happens(log, listed('tea', 1_000));
    const appends: number[] = [];
    const keeper = keeperOn({
      append: async (...asked) => {
        if (JSON.stringify(asked[2]).length > 10_000) throw new InvalidInput([], 'Too large for one append.');
        appends.push(asked[2].length);
        return log.append(...asked);
      },
      readStream: (...asked) => log.readStream(...asked),
      cutOf: (stream) => log.cutOf(stream),
    });
    const large = { ...causeOf('large'), correlationId: 'x'.repeat(10_000) };
    const causes = orders(75).map((orderId, index) => (index === 30 ? large : causeOf(orderId)));
    const told = await Promise.allSettled(causes.map((cause, index) => keeper.reserve(`o${index}`, one('tea'), cause)));
    expect(told.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([30]);
    expect(told[30]).toMatchObject({ reason: expect.any(InvalidInput) });
    expect(await stockOf(log, 'tea')).toBe(1_000 - 74);
    expect(appends.reduce((sum, count) => sum + count)).toBe(74);
    expect(Math.max(...appends)).toBeGreaterThan(5);
  });

  test('each event tells of its own order', async () => {
    const log = store();
    await happens(log, listed('tea', 2));
    const keeper = keeperOn(log);
    const [cause1, cause2] = [causeOf('o1'), causeOf('o2')];
    await Promise.all([keeper.reserve('o1', one('tea'), cause1), keeper.reserve('o2', one('tea'), cause2)]);
    const recorded = (await eventsOf(log, 'tea')).slice(1);
    expect(
      recorded.map(({ data, correlationId, causationId, traceparent, partitionKey }) => [
        data['orderId'],
        { correlationId, id: causationId, traceparent },
        partitionKey,
      ]),
    ).toMatchObject([
      ['o1', { correlationId: cause1.correlationId, id: cause1.id, traceparent: cause1.traceparent }, 'tea'],
      ['o2', { correlationId: cause2.correlationId, id: cause2.id, traceparent: cause2.traceparent }, 'tea'],
    ]);
    expect(new Set(recorded.map(({ id }) => id)).size).toBe(2);
  });

  test('decides anew on what others did meanwhile', async () => {
    const log = store();
    await happens(log, listed('tea', 3));
    const faulty = new FaultyStore(log);
    let before = true;
    faulty.fate = async (): Promise<Fate> => {
      if (before) await happens(log, changed('tea', -2, 1));
      before = false;
      return 'done';
    };
    const keeper = keeperOn(faulty);
    const both = await Promise.all(['o1', 'o2'].map((id) => keeper.reserve(id, one('tea'), causeOf(id))));
    expect(both).toEqual([{ reserved: one('tea') }, { refused: 'tea' }]);
    expect(await stockOf(log, 'tea')).toBe(0);
  });

  test('whoever loses again and again is told so, and nobody else', async () => {
    const log = store();
    await happens(log, listed('tea', 5), listed('cup', 5));
    const faulty = new FaultyStore(log);
    let stock = 5;
    faulty.fate = async (stream): Promise<Fate> => {
      if (stream === 'product-tea') await happens(log, changed('tea', 1, (stock += 1)));
      return 'done';
    };
    const keeper = keeperOn(faulty);
    const [tea, cup] = await Promise.allSettled([
      keeper.reserve('o1', one('tea'), causeOf('o1')),
      keeper.reserve('o2', one('cup'), causeOf('o2')),
    ]);
    expect(tea).toMatchObject({ status: 'rejected', reason: expect.any(ConcurrentRequest) });
    expect(cup).toMatchObject({ status: 'fulfilled', value: { reserved: one('cup') } });
    faulty.fate = () => 'done';
    expect(await keeper.reserve('o1', one('tea'), causeOf('o1'))).toEqual({ reserved: one('tea') });
  });
});

test('who comes while it has to decide again is decided with the others, a hundred in all', async () => {
  const log = new MemoryEventStore(clock);
  await happens(log, listed('tea', 1_000));
  const faulty = new FaultyStore(log);
  const appends: number[] = [];
  const late: Promise<Reservation>[] = [];
  faulty.fate = async (_, events): Promise<Fate> => {
    appends.push(events.length);
    if (appends.length > 1) return 'done';
    late.push(...orders(150).map((id) => keeper.reserve(`late-${id}`, one('tea'), causeOf(`late-${id}`))));
    await happens(log, changed('tea', 1, 1_001));
    return 'done';
  };
  const keeper = keeperOn(faulty);
  const early = await Promise.all(orders(60).map((id) => keeper.reserve(id, one('tea'), causeOf(id))));
  expect([...early, ...(await Promise.all(late))].filter(isReserved)).toHaveLength(210);
  expect(appends).toEqual([60, 100, 100, 10]);
  expect(await stockOf(log, 'tea')).toBe(1_001 - 210);
});

describe('a product that is known by a live look at the log', () => {
  /** A process that knows the product, and how often it has read its stream since. */
  async function known(stock: number | null) {
    const log = new MemoryEventStore(clock);
    const faulty = new FaultyStore(log);
    const look = new LiveLook({ store: log, clock, timer: systemTimer });
    await look.isFresh();
    await happens(log, listed('tea', stock));
    const products = new AggregateStreams(faulty, 'product', product, { look });
    const keeper = new StockKeeper(products, { timer: systemTimer, randomness: systemRandomness });
    await products.load('tea');
    let reads = 0;
    const { readStream } = faulty;
    faulty.readStream = (...asked) => ((reads += 1), readStream(...asked));
    const reserve = async (orderId: string) =>
      keeper.reserve(orderId, one('tea'), causeOf(orderId), undefined, await log.head());
    return { log, look, faulty, keeper, reserve, reads: () => reads };
  }

  test('is not read, whether its pieces are counted or not', async () => {
    const uncounted = await known(null);
    expect(await uncounted.reserve('o1')).toEqual({ reserved: [] });
    expect(uncounted.reads()).toBe(0);
    const counted = await known(2);
    for (const orderId of ['o1', 'o2']) expect(await counted.reserve(orderId)).toEqual({ reserved: one('tea') });
    expect([counted.reads(), await stockOf(counted.log, 'tea')]).toEqual([0, 0]);
  });

  test('is as it stood when the order was placed, or later: what is counted since is counted', async () => {
    const { log, reserve } = await known(null);
    await happens(log, changed('tea', 1, 1));
    expect(await reserve('o1')).toEqual({ reserved: one('tea') });
    expect(await reserve('o2')).toEqual({ refused: 'tea' });
  });

  test('is read before an order is refused, and after an append that lost', async () => {
    const { log, look, faulty, keeper, reserve } = await known(1);
    await reserve('o1');
    const asOf = await log.head();
    await look.reaches(asOf);
    await happens(log, changed('tea', 5, 5));
    expect(await keeper.reserve('o2', one('tea'), causeOf('o2'), undefined, asOf)).toEqual({ reserved: one('tea') });
    faulty.fate = async (): Promise<Fate> => {
      faulty.fate = () => 'done';
      await happens(log, changed('tea', -4, 0));
      return 'done';
    };
    expect(await reserve('o3')).toEqual({ refused: 'tea' });
    expect(await stockOf(log, 'tea')).toBe(0);
  });

  test('is read for what is given back, and for what is asked without a position', async () => {
    const { log, keeper, reads } = await known(null);
    await happens(log, changed('tea', 1, 1));
    await keeper.release('o1', one('tea'), false, causeOf('o1'));
    expect(await keeper.reserve('o1', one('tea'), causeOf('o1'))).toEqual({ refused: 'tea' });
    expect(reads()).toBe(2);
  });
});

describe('one order that asks twice in one turn', () => {
  let log: MemoryEventStore;
  let keeper: StockKeeper;
  let appends: number;
  const cause = causeOf('o1');
  beforeEach(async () => {
    log = new MemoryEventStore(clock);
    await happens(log, listed('tea', 3));
    const counted = new FaultyStore(log);
    appends = 0;
    counted.fate = () => {
      appends += 1;
      return 'done';
    };
    keeper = keeperOn(counted);
  });
  afterEach(() => log.close());

  const reserve = () => keeper.reserve('o1', one('tea'), cause);
  const release = (certain: boolean) => keeper.release('o1', one('tea'), certain, cause);

  /** What was recorded of the order, all in one append: each with what was left then. */
  async function recorded(): Promise<readonly unknown[]> {
    expect(appends).toBe(1);
    const events = (await eventsOf(log, 'tea')).slice(1);
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    return events.map(({ type, data }) => [type, data['stock']]);
  }

  test('has its pieces once, and both answers say so', async () => {
    const both = await Promise.all([reserve(), reserve()]);
    expect(both).toEqual([{ reserved: one('tea') }, { reserved: one('tea') }]);
    expect(await recorded()).toEqual([['StockReserved', 2]]);
  });

  test('has the last piece, though there is none left for the second question', async () => {
    await happens(log, changed('tea', -2, 1));
    const both = await Promise.all([reserve(), reserve()]);
    expect(both).toEqual([{ reserved: one('tea') }, { reserved: one('tea') }]);
    expect(await stockOf(log, 'tea')).toBe(0);
  });

  test.each([true, false])('gives its pieces back once, certain of them or not: %s', async (certain) => {
    await Promise.all([reserve(), release(certain), release(certain)]);
    expect(await recorded()).toEqual([
      ['StockReserved', 2],
      ['StockReleased', 3],
    ]);
  });

  test('has none of what it let go just before', async () => {
    const [, reservation] = await Promise.all([release(false), reserve()]);
    expect(reservation).toEqual({ refused: 'tea' });
    expect(await recorded()).toEqual([['StockReleased', 3]]);
  });
});

test('whatever is lost or unheard of, and whoever is asked, every piece is accounted for', async () => {
  const products = ['p0', 'p1', 'p2'] as const;
  const item = fc.record({ productId: fc.constantFrom(...products), quantity: fc.integer({ min: 1, max: 3 }) });
  const order = fc.record({
    items: fc.uniqueArray(item, { selector: ({ productId }) => productId, minLength: 1, maxLength: 3 }),
    /** Which processes are asked, one after the other: each time its answer may not come. */
    tries: fc.array(fc.nat(2), { minLength: 1, maxLength: 3 }),
    isCancelled: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(order, { minLength: 1, maxLength: 20 }),
      fc.infiniteStream(fc.constantFrom<Fate[]>('done', 'done', 'lost', 'unheard', 'cut off')),
      async (asked, fates) => {
        const log = new MemoryEventStore(clock);
        await happens(log, ...products.map((productId) => listed(productId, 5)));
        const faulty = new FaultyStore(log);
        faulty.fate = () => fates.next().value as Fate;
        const calm = { timer: { sleep: async () => {} }, randomness: systemRandomness };
        const keepers = products.map(() => new StockKeeper(new AggregateStreams(faulty, 'product', product), calm));
        const sure = keeperOn(log);
        const held = await Promise.all(
          asked.map(async ({ items, tries, isCancelled }, index) => {
            const [orderId, cause] = [`o${index}`, causeOf(`o${index}`)];
            for (const at of tries) await keepers[at]!.reserve(orderId, items, cause).catch(mayBeAway);
            if (!isCancelled) {
              const outcome = await sure.reserve(orderId, items, cause);
              if ('reserved' in outcome) return outcome.reserved;
              await sure.release(orderId, items, false, cause);
              return [];
            }
            for (const at of tries) await keepers[at]!.release(orderId, items, false, cause).catch(mayBeAway);
            await sure.release(orderId, items, false, cause);
            expect(isReserved(await sure.reserve(orderId, items, cause))).toBe(false);
            return [];
          }),
        );
        for (const productId of products) {
          const pieces = held.flat().reduce((sum, had) => sum + (had.productId === productId ? had.quantity : 0), 0);
          const stocks = (await eventsOf(log, productId)).map(({ data }) => data['stock'] as number);
          expect(Math.min(...stocks)).toBeGreaterThanOrEqual(0);
          expect(stocks.at(-1)).toBe(5 - pieces);
        }
        await log.close();
      },
    ),
    { numRuns: runs(20, 200) },
  );
});

function mayBeAway(error: unknown): void {
  if (!(error instanceof Unavailable || error instanceof ConcurrentRequest)) throw error;
}

describe('what is older than the memory', () => {
  /** A product of which 40 orders have a piece, and a process that remembers the last three requests. */
  async function sold() {
    const log = new MemoryEventStore(clock);
    await happens(log, listed('tea', 100));
    const keeper = keeperOn(log, 3);
    for (const orderId of orders(40)) await keeper.reserve(orderId, one('tea'), causeOf(orderId), await log.head());
    const reads: number[] = [];
    const counted: AggregateLog = {
      append: (...asked) => log.append(...asked),
      readStream: (...asked) => (reads.push(asked[1]), log.readStream(...asked)),
      cutOf: (stream) => log.cutOf(stream),
    };
    return { log, keeper: keeperOn(counted, 3), reads };
  }

  test('is looked for in the log: nothing is reserved or given back twice', async () => {
    const { log, keeper } = await sold();
    for (const orderId of ['o0', 'o39', 'o20']) {
      expect(await keeper.reserve(orderId, one('tea'), causeOf(orderId))).toEqual({ reserved: one('tea') });
    }
    for (const orderId of ['o1', 'o2', 'o3', 'o4', 'o5']) {
      await keeper.release(orderId, one('tea'), true, causeOf(`cancelled ${orderId}`));
    }
    await keeper.release('o1', one('tea'), true, causeOf('cancelled o1'));
    expect(await keeper.reserve('o1', one('tea'), causeOf('o1'))).toEqual({ refused: 'tea' });
    expect(await stockOf(log, 'tea')).toBe(65);
  });

  test('is not looked for where nothing can have been recorded so long ago', async () => {
    const { log, keeper, reads } = await sold();
    await keeper.reserve('warm', one('tea'), causeOf('warm'), await log.head());
    reads.length = 0;
    await keeper.reserve('new', one('tea'), causeOf('new'), await log.head());
    expect(reads).toHaveLength(1);
    const head = await log.head();
    await keeper.reserve('newer', one('tea'), causeOf('newer'), () => Promise.resolve(head));
    // It was found out and decided again, and of the stream its end alone was read.
    expect(reads.filter((from) => from < 40)).toEqual([]);
    expect(await stockOf(log, 'tea')).toBe(57);
  });

  test('is looked for from where it can have been recorded on, not from the beginning', async () => {
    const { log, keeper, reads } = await sold();
    const [event] = await log.readStream('product-tea', 31, 1);
    reads.length = 0;
    expect(await keeper.reserve('o30', one('tea'), causeOf('o30'), event!.position - 1)).toEqual({
      reserved: one('tea'),
    });
    expect(reads).toContain(31);
    expect(await stockOf(log, 'tea')).toBe(60);
  });

  test('holds up nobody who waits for the same product', async () => {
    const { keeper } = await sold();
    let find!: (position: number) => void;
    const since = new Promise<number>((resolve) => (find = resolve));
    const old = keeper.reserve('o0', one('tea'), causeOf('o0'), () => since);
    expect(await keeper.reserve('o39', one('tea'), causeOf('o39'), 1_000)).toEqual({ reserved: one('tea') });
    find(0);
    expect(await old).toEqual({ reserved: one('tea') });
  });

  test('where it cannot be looked for, who asked is told, and nobody else', async () => {
    const { keeper } = await sold();
    const broken = keeper.reserve('o0', one('tea'), causeOf('o0'), () =>
      Promise.reject(new Unavailable('event store', '')),
    );
    await expect(broken).rejects.toBeInstanceOf(Unavailable);
    expect(await keeper.reserve('o0', one('tea'), causeOf('o0'))).toEqual({ reserved: one('tea') });
  });

  const step = fc.record({
    order: fc.integer({ min: 0, max: 7 }),
    does: fc.constantFrom('reserve', 'reserve', 'release', 'release uncertainly', 'restart'),
    knowsSince: fc.boolean(),
  });

  test('whatever is remembered, the same is decided', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 6 }),
        fc.array(step, { maxLength: 40 }),
        async (keepRuled, stock, steps) => {
          const run = async (keep: number) => {
            const log = new MemoryEventStore(clock);
            await happens(log, listed('tea', stock));
            let keeper = keeperOn(log, keep);
            const begun = new Map<number, number>();
            const told: unknown[] = [];
            for (const { order, does, knowsSince } of steps) {
              if (does === 'restart') {
                keeper = keeperOn(log, keep);
                continue;
              }
              const orderId = `o${order}`;
              if (!begun.has(order)) begun.set(order, await log.head());
              const since = begun.get(order)!;
              const asked = knowsSince ? since : () => Promise.resolve(since);
              const cause = causeOf(`${does} ${orderId}`);
              if (does === 'reserve') told.push(await keeper.reserve(orderId, one('tea'), cause, asked));
              else await keeper.release(orderId, one('tea'), does === 'release', cause, asked);
            }
            const events = await eventsOf(log, 'tea');
            return { told, events: events.map(({ type, data }) => [type, data]) };
          };
          expect(await run(keepRuled)).toEqual(await run(5_000));
        },
      ),
      { numRuns: runs(100, 1_000) },
    );
  });

  test('a product of more orders than are remembered has a snapshot, which is small, and what it holds is the same', async () => {
    const log = new MemoryEventStore(clock);
    const store = openMemorySnapshotStore();
    const said: string[] = [];
    const report = ({ message }: Error): void => void said.push(message);
    const snapshots = new AggregateSnapshots({ store, timer: systemTimer, clock, report }, { largest: 20_000 });
    const begin = () => new AggregateStreams(log, 'product', product, { snapshots, keepRuled: 100 });
    await happens(log, listed('tea', 1_000));
    const keeper = new StockKeeper(begin(), { timer: systemTimer, randomness: systemRandomness });
    for (const orderId of orders(500)) await keeper.reserve(orderId, one('tea'), causeOf(orderId), await log.head());
    await snapshots.settled();
    expect(said).toEqual([]);
    let read = 0;
    const counted: AggregateLog = {
      append: (...asked) => log.append(...asked),
      readStream: async (...asked) => {
        const events = await log.readStream(...asked);
        read += events.length;
        return events;
      },
      cutOf: (stream) => log.cutOf(stream),
    };
    const fromSnapshot = await new AggregateStreams(counted, 'product', product, { snapshots, keepRuled: 100 }).load(
      'tea',
    );
    expect(read).toBeLessThanOrEqual(21);
    const whole = await new AggregateStreams(log, 'product', product, { keepRuled: 100 }).load('tea');
    expect(fromSnapshot.requests.ruledUpTo(Infinity)).toEqual(whole.requests.ruledUpTo(Infinity));
    expect([fromSnapshot.requests.size, fromSnapshot.state]).toEqual([100, whole.state]);
  });
});
