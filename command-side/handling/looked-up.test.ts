import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { EventFromTheFuture, StreamCut, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { beginning } from '@waybill/shared-kernel/ports/event-store.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { AggregateStreams } from './aggregate-streams.js';
import { product } from '../catalogue/product.js';
import { LiveLook } from './live-look.js';
import { FaultyStore } from '../testing/faulty-store.js';

const clock = virtualClock('2026-01-01T10:00:00Z');

function event(type: string, data: object, change: Partial<NewEvent> = {}): NewEvent {
  const id = systemRandomness.uuid();
  const envelope = { id, correlationId: id, causationId: id, schemaVersion: 1, partitionKey: 'p1' };
  return { ...envelope, type, occurredAt: '2026-01-01T10:00:00.000Z', data: { ...data }, ...change };
}
const listed = (productId: string) =>
  event('ProductListed', { productId, merchantId: 'm1', name: 'Tea', unitPrice: 0, currency: 'KRW', stock: null });
const priced = (unitPrice: number, change: Partial<NewEvent> = {}) =>
  event('ProductPriceChanged', { productId: 'p1', unitPrice, currency: 'KRW' }, change);

let log: MemoryEventStore;
let store: FaultyStore;
/** Streams that were read from their beginning, and from where else. */
let read: number[];
let look: LiveLook;
let products: AggregateStreams<never, unknown, never>;

function beginOn(behind: MemoryEventStore): void {
  log = behind;
  store = new FaultyStore(log);
  const { readStream } = store;
  read = [];
  store.readStream = (stream, from, limit) => (read.push(from), readStream(stream, from, limit));
  const timer = { sleep: async (milliseconds: number) => clock.advance(milliseconds) };
  look = new LiveLook({ store: log, clock, timer });
  products = new AggregateStreams(store, 'product', product, { look }) as unknown as typeof products;
}

beforeEach(() => beginOn(new MemoryEventStore(clock)));

/** Price and revision, as it is looked up as of the log's end. */
async function lookedUp(id = 'p1'): Promise<unknown> {
  const { state, revision } = await products.lookUp(id, await log.head());
  return [(state as { unitPrice?: number }).unitPrice, revision];
}

describe('what is only looked at', () => {
  beforeEach(async () => {
    await look.isFresh();
    await log.append('product-p1', -1, [listed('p1'), priced(1)]);
    expect(await lookedUp()).toEqual([1, 1]);
    read.length = 0;
  });

  test('is not read while its stream does not grow, and not where the look shows how it grew', async () => {
    expect(await lookedUp()).toEqual([1, 1]);
    await log.append('product-p1', 1, [priced(2), priced(3)]);
    expect(await lookedUp()).toEqual([3, 3]);
    expect(read).toEqual([]);
  });

  test('may be as old as the look, which is a tenth of a second old at most', async () => {
    await products.lookUp('p1');
    await log.append('product-p1', 1, [priced(2)]);
    expect((await products.lookUp('p1')).revision).toBe(1);
    clock.advance(101);
    expect((await products.lookUp('p1')).revision).toBe(2);
  });

  test('has what this process appended itself at once, and what it appended by rule as the log has it', async () => {
    const loaded = await products.lookUp('p1');
    const appended = await products.append('p1', loaded, [priced(2)]);
    expect(await products.lookUp('p1')).toBe(appended);
    await products.appendByRule('p1', appended, [priced(3)]);
    expect((await products.lookUp('p1')).revision).toBe(3);
    expect(read).toEqual([2]);
  });

  test('is known from its first event on, where that was appended here', async () => {
    await products.append('p2', products.unwritten(), [listed('p2')]);
    expect(await lookedUp('p2')).toEqual([0, 0]);
    expect(read).toEqual([]);
  });

  test('is read where an append lost against another', async () => {
    const loaded = await products.lookUp('p1');
    await log.append('product-p1', 1, [priced(2)]);
    await expect(products.append('p1', loaded, [priced(3)])).rejects.toBeInstanceOf(WrongExpectedRevision);
    expect((await products.load('p1')).revision).toBe(2);
  });

  test('is read where it is not there', async () => {
    expect(await lookedUp('p3')).toEqual([undefined, -1]);
    await log.append('product-p3', -1, [listed('p3')]);
    expect(await lookedUp('p3')).toEqual([0, 0]);
  });

  test.each([
    ['truncated', () => log.truncate('product-p1', Infinity)],
    ['tombstoned', () => log.tombstone('product-p1')],
  ])('is read where its stream was %s', async (_case, cut) => {
    cut();
    await expect(lookedUp()).rejects.toBeInstanceOf(StreamCut);
    await expect(lookedUp()).rejects.toBeInstanceOf(StreamCut);
  });

  test('is read where it has an event newer than the code', async () => {
    await log.append('product-p1', 1, [priced(2, { schemaVersion: 99 })]);
    await expect(lookedUp()).rejects.toBeInstanceOf(EventFromTheFuture);
    await expect(lookedUp()).rejects.toBeInstanceOf(EventFromTheFuture);
  });

  test.each([0, 1])(
    'an event that comes while it is read is met, whichever of the two is first, with %s more',
    async (more) => {
      const { readStream } = store;
      store.readStream = async (...asked) => {
        store.readStream = readStream;
        const page = await readStream(...asked);
        // It was read, and before that is heard of it grows, and the look passes that.
        await log.append('product-p2', 0, [event('ProductWithdrawn', { productId: 'p2' })]);
        await look.reaches(await log.head());
        return page;
      };
      await log.append('product-p2', -1, [listed('p2')]);
      expect((await products.load('p2')).revision).toBe(0);
      if (more > 0) await log.append('product-p2', 1, [priced(7)]);
      expect(await products.lookUp('p2', await log.head())).toMatchObject({
        state: { status: 'withdrawn' },
        revision: 1 + more,
      });
    },
  );

  test('is read as of a position that the look does not come to', async () => {
    expect(await products.shown('p1', await log.head())).toBeDefined();
    expect(await products.shown('p1', (await log.head()) + 1)).toBeUndefined();
  });

  test('is not as this process left it where the log is an older one by now, whatever others append to that', async () => {
    // The look has met p2, and nothing of what comes then.
    const second = listed('p2');
    await log.append('product-p2', -1, [second]);
    expect(await lookedUp('p2')).toEqual([0, 0]);
    const older = new MemoryEventStore(clock);
    const { events } = await log.readAll(beginning, 100);
    for (const { stream, revision, ...recorded } of events) await older.append(stream, revision - 1, [recorded]);
    await products.append('p1', await products.load('p1'), [priced(9)]);
    const elsewhere = { readAll: older.readAll.bind(older), head: older.head.bind(older) };
    const streams = { readStream: older.readStream.bind(older), cutOf: older.cutOf.bind(older) };
    Object.assign(log, elsewhere, { append: older.append.bind(older) });
    Object.assign(store, streams, { append: older.append.bind(older) });
    clock.advance(1_000);
    expect((await products.lookUp('p1')).revision).toBe(1);
    await older.append('product-p1', 1, [priced(7)]);
    await older.append('product-p1', 2, [priced(8)]);
    clock.advance(1_000);
    for (const loaded of [await products.lookUp('p1'), await products.load('p1')]) {
      expect([(loaded.state as { unitPrice: number }).unitPrice, loaded.revision]).toEqual([8, 3]);
    }
  });

  test('is read where the log is another than it was', async () => {
    await log.append('product-p2', -1, [listed('p2')]);
    expect(await lookedUp('p2')).toEqual([0, 0]);
    const other = new MemoryEventStore(clock);
    await other.append('product-p1', -1, [listed('p1')]);
    await other.append('product-p2', -1, [{ ...listed('p2'), data: { ...listed('p2').data, unitPrice: 9 } }]);
    const elsewhere = { readAll: other.readAll.bind(other), head: other.head.bind(other) };
    Object.assign(log, elsewhere, { readStream: other.readStream.bind(other), cutOf: other.cutOf.bind(other) });
    clock.advance(1_000);
    expect((await products.lookUp('p1')).revision).toBe(0);
    expect(await lookedUp('p2')).toEqual([9, 0]);
  });
});

test('before the look has begun nothing is taken for known', async () => {
  await log.append('product-p1', -1, [listed('p1')]);
  await products.load('p1');
  await log.append('product-p1', 0, [priced(1)]);
  expect(await products.shown('p1')).toBeUndefined();
  expect(await lookedUp()).toEqual([1, 1]);
});

test('whatever others append, and whatever is read meanwhile: it is never older than it was asked for', async () => {
  const step = fc.record({
    id: fc.constantFrom('p1', 'p2', 'p3'),
    does: fc.constantFrom(
      'other appends',
      'appends',
      'by rule',
      'loads',
      'looks up',
      'looks',
      'forgets',
      'time passes',
    ),
    isAwaited: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, keep) => {
      beginOn(new MemoryEventStore(clock));
      products = new AggregateStreams(store, 'product', product, { look, keep }) as unknown as typeof products;
      const others = new AggregateStreams(log, 'product', product);
      let price = 0;
      const next = (id: string, { revision }: { readonly revision: number }) =>
        revision < 0 ? listed(id) : priced((price += 1));
      const losing = (error: unknown): void => {
        if (!(error instanceof WrongExpectedRevision)) throw error;
      };
      const doing: Record<string, (id: string) => Promise<unknown>> = {
        'other appends': async (id) => {
          const loaded = await others.load(id);
          await others.append(id, loaded, [next(id, loaded)]).catch(losing);
        },
        appends: async (id) => {
          const loaded = await products.lookUp(id);
          await products.append(id, loaded, [next(id, loaded)]).catch(losing);
        },
        'by rule': async (id) => {
          const loaded = await products.lookUp(id);
          await products.appendByRule(id, loaded, [next(id, loaded)]).catch(losing);
        },
        loads: (id) => products.load(id),
        'looks up': async (id) => {
          const head = await log.head();
          const written = await new AggregateStreams(log, 'product', product).load(id);
          const { revision, state } = await products.lookUp(id, head);
          expect(revision).toBeGreaterThanOrEqual(written.revision);
          const then = await new AggregateStreams(log, 'product', product).stateAt(id, revision);
          expect(state).toEqual(then);
        },
        looks: async () => look.reaches(await log.head()),
        forgets: async (id) => products.forget(id),
        'time passes': async () => clock.advance(60),
      };
      const all: Promise<unknown>[] = [];
      for (const { id, does, isAwaited } of steps) {
        const done = doing[does]!(id);
        all.push(done);
        if (isAwaited) await done;
      }
      await Promise.all(all);
    }),
    { numRuns: runs(200, 2_000) },
  );
});
