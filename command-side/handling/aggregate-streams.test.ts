import { describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { openMemorySnapshotStore } from '@waybill/infra/snapshots/memory/snapshot-store.js';
import { EventFromTheFuture, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { AggregateStreams, type AggregateStreamsOptions } from './aggregate-streams.js';
import { product } from '../catalogue/product.js';
import { AggregateSnapshots } from './snapshots/aggregate-snapshots.js';
import { stores } from '../testing/stores.js';

const clock = virtualClock('2026-01-01T10:00:00Z');

function event(revision: number, type: string, data: object, change: Partial<NewEvent> = {}): NewEvent {
  const id = `00000000-0000-4000-8000-${String(revision).padStart(12, '0')}`;
  const envelope = { id, schemaVersion: 1, occurredAt: '2026-01-01T10:00:00.000Z', partitionKey: 'p1' };
  return { ...envelope, correlationId: id, causationId: id, type, data: { ...data }, ...change };
}

const listed = event(0, 'ProductListed', {
  productId: 'p1',
  merchantId: 'm1',
  name: 'Tea',
  unitPrice: 1,
  currency: 'KRW',
  stock: null,
});
const priced = (revision: number) =>
  event(revision, 'ProductPriceChanged', { productId: 'p1', unitPrice: revision, currency: 'KRW' });
const request = { id: 'r', hash: 'h', subject: '.system' };

describe.each(stores)('aggregates in streams, %s', (_, open) => {
  async function withStore(work: (store: EventStore) => Promise<void>): Promise<void> {
    const { store, dispose } = await open(clock);
    try {
      await work(store);
    } finally {
      await dispose();
    }
  }
  const streamsIn = (store: EventStore, options?: AggregateStreamsOptions) =>
    new AggregateStreams(store, 'product', product, options);

  test('one without events is as it begins', () =>
    withStore(async (store) => {
      expect(await streamsIn(store).load('p1')).toMatchObject({ state: { status: 'none' }, revision: -1 });
    }));

  test('what others append is seen, and only the last event known and what is new is read', () =>
    withStore(async (store) => {
      const asked: number[] = [];
      const readStream: EventStore['readStream'] = (stream, from, limit) => {
        asked.push(from);
        return store.readStream(stream, from, limit);
      };
      const append: EventStore['append'] = (stream, at, events) => store.append(stream, at, events);
      const streams = new AggregateStreams(
        { append, readStream, cutOf: (stream) => store.cutOf(stream) },
        'product',
        product,
      );
      await store.append('product-p1', -1, [listed]);
      await streams.load('p1');
      await store.append('product-p1', 0, [priced(1), priced(2)]);
      const { state, revision, position } = await streams.load('p1');
      expect([state, revision, position]).toMatchObject([{ unitPrice: 2 }, 2, await store.head()]);
      await streams.load('p1');
      expect(asked).toEqual([0, 0, 2]);
    }));

  test('a long stream is read to its end', () =>
    withStore(async (store) => {
      await store.append('product-p1', -1, [listed, ...Array.from({ length: 2500 }, (_unused, i) => priced(i + 1))]);
      const streams = streamsIn(store);
      expect(await streams.load('p1')).toMatchObject({ state: { unitPrice: 2500 }, revision: 2500 });
      expect(await streams.stateAt('p1', 1200)).toMatchObject({ unitPrice: 1200 });
    }));

  test('between the pages of a long stream the event loop turns', () =>
    withStore(async (store) => {
      await store.append('product-p1', -1, [listed, ...Array.from({ length: 2500 }, (_unused, i) => priced(i + 1))]);
      let turn = 0;
      const seen: number[] = [];
      const readStream: EventStore['readStream'] = async (stream, from, limit) => {
        const page = await store.readStream(stream, from, limit);
        seen.push(turn);
        return page;
      };
      const cutOf: EventStore['cutOf'] = (stream) => store.cutOf(stream);
      const append: EventStore['append'] = (stream, at, events) => store.append(stream, at, events);
      const count = (): void => {
        turn += 1;
        timer = setImmediate(count);
      };
      let timer = setImmediate(count);
      await new AggregateStreams({ append, readStream, cutOf }, 'product', product).load('p1');
      clearImmediate(timer);
      expect(seen).toHaveLength(3);
      expect(new Set(seen).size).toBe(3);
    }));

  test('an append knows what it made, and fails on an aggregate that moved on', () =>
    withStore(async (store) => {
      const [one, other] = [streamsIn(store), streamsIn(store)];
      const unwritten = await one.load('p1');
      const first = await one.append('p1', unwritten, [listed]);
      expect(first).toEqual(await other.load('p1'));
      await other.append('p1', first, [priced(1)]);
      await expect(one.append('p1', first, [priced(2)])).rejects.toBeInstanceOf(WrongExpectedRevision);
      expect(await one.load('p1')).toMatchObject({ state: { unitPrice: 1 }, revision: 1 });
    }));

  test('what it knows is not gone on from where an older log was restored in place of the one it was loaded from', () =>
    withStore((later) =>
      withStore(async (older) => {
        let log = later;
        const readStream: EventStore['readStream'] = (...asked) => log.readStream(...asked);
        const append: EventStore['append'] = (...asked) => log.append(...asked);
        const streams = new AggregateStreams(
          { append, readStream, cutOf: (stream) => log.cutOf(stream) },
          'product',
          product,
        );
        await later.append('product-p1', -1, [listed, priced(1), priced(2)]);
        await older.append('product-p1', -1, [listed, priced(1)]);
        await streams.load('p1');
        log = older;
        expect(await streams.load('p1')).toMatchObject({ state: { unitPrice: 1 }, revision: 1 });
        log = later;
        await streams.load('p1');
        // It has grown since, beyond where the other ended.
        await older.append('product-p1', 1, [priced(3), priced(4)]);
        log = older;
        expect(await streams.load('p1')).toMatchObject({ state: { unitPrice: 4 }, revision: 3 });
      }),
    ));

  test('requests are known by the last of their events, read or appended, however few are kept', () =>
    withStore(async (store) => {
      const streams = streamsIn(store, { keep: 1 });
      const both = [
        { ...listed, request },
        { ...priced(1), request },
      ];
      const appended = await streams.append('p1', streams.unwritten(), both);
      const recorded = { mark: request, role: undefined, revision: 1, position: appended.position };
      expect(await streams.recorded('p1', appended, 'r')).toEqual(recorded);
      await streams.append('p2', streams.unwritten(), [event(9, 'ProductWithdrawn', { productId: 'p2' })]);
      expect(streams.lastSeen('p1')).toBeUndefined();
      const loaded = await streams.load('p1');
      expect(await streams.recorded('p1', loaded, 'r')).toEqual(recorded);
      expect(await streams.recorded('p1', loaded, 'other')).toBeUndefined();
    }));

  test('as many are kept as fit, by what they take with the requests that they remember', () =>
    withStore(async (store) => {
      const streams = streamsIn(store, { keepBytes: 100_000 });
      const remembering = (count: number) =>
        Array.from({ length: count }, (_, n) => ({
          ...event(n, 'ProductPriceChanged', { productId: 'p', unitPrice: n, currency: 'KRW' }),
          id: systemRandomness.uuid(),
          request: { ...request, id: systemRandomness.uuid() },
        }));
      const ids = ['p1', 'p2', 'p3'];
      for (const id of ids) await streams.append(id, streams.unwritten(), remembering(100));
      expect(ids.filter((id) => streams.lastSeen(id) !== undefined)).toEqual(ids);
      // It grows, so others have to go.
      await streams.append('p3', await streams.load('p3'), remembering(500));
      expect(ids.filter((id) => streams.lastSeen(id) !== undefined)).toEqual(['p3']);
      expect((await streams.load('p1')).requests.size).toBe(100);
    }));

  test('of requests that are appended together each is known by its own event', () =>
    withStore(async (store) => {
      const streams = streamsIn(store);
      const marks = ['r1', 'r2'].map((id) => ({ ...request, id }));
      const events = [
        { ...listed, request: marks[0]! },
        { ...priced(1), request: marks[1]! },
      ];
      const appended = await streams.append('p1', streams.unwritten(), events);
      const recorded = await Promise.all(marks.map(({ id }) => streams.recorded('p1', appended, id)));
      expect(recorded).toMatchObject(marks.map((mark, revision) => ({ mark, revision })));
    }));

  test('of two who append the same ids by rule, with other content, both go on from what the log has', () =>
    withStore(async (store) => {
      const snapshotStore = openMemorySnapshotStore();
      const dependencies = { store: snapshotStore, timer: systemTimer, clock, report: () => {} };
      const process = () => {
        const snapshots = new AggregateSnapshots(dependencies, { every: 1 });
        return { snapshots, streams: streamsIn(store, { snapshots }) };
      };
      const both = [process(), process()];
      const again = (price: number) => [
        { ...listed, data: { ...listed.data, unitPrice: price }, request },
        { ...priced(1), data: { ...priced(1).data, unitPrice: price } },
      ];
      const unwritten = both.map(({ streams }) => streams.unwritten());
      await Promise.all(both.map(({ streams }, i) => streams.appendByRule('p1', unwritten[i]!, again(i + 10))));
      await Promise.all(both.map(({ snapshots }) => snapshots.settled()));
      const whole = await streamsIn(store).load('p1');
      for (const { streams, snapshots } of [...both, process()]) {
        const { state, requests } = await streams.load('p1');
        expect([state, requests.upTo(1)]).toEqual([whole.state, whole.requests.upTo(1)]);
        await snapshots.settled();
      }
      expect(await snapshotStore.load('product-p1')).toBeDefined();
    }));

  test('no event happens before the one it follows, whoever loaded it from where', () =>
    withStore(async (store) => {
      const earlier = (revision: number) => ({ ...priced(revision), occurredAt: '2026-01-01T09:59:58.000Z' });
      const streams = streamsIn(store);
      const loaded = await streams.append('p1', streams.unwritten(), [listed, earlier(1)]);
      await streams.append('p1', loaded, [earlier(2)]);
      await streamsIn(store).appendByRule('p1', await streamsIn(store).load('p1'), [earlier(3)]);
      const snapshotStore = openMemorySnapshotStore();
      const snapshots = new AggregateSnapshots(
        { store: snapshotStore, timer: systemTimer, clock, report: () => {} },
        { every: 1 },
      );
      await streamsIn(store, { snapshots }).append('p1', await streamsIn(store).load('p1'), [earlier(4)]);
      await snapshots.settled();
      const begun = streamsIn(store, { snapshots });
      const last = await begun.append('p1', await begun.load('p1'), [earlier(5)]);
      await begun.append('p1', last, [{ ...priced(6), occurredAt: '2026-01-01T10:00:01.000Z' }]);
      const times = (await store.readStream('product-p1', 0, 10)).map(({ occurredAt }) => occurredAt);
      expect(times).toEqual([
        ...Array.from({ length: 6 }, () => '2026-01-01T10:00:00.000Z'),
        '2026-01-01T10:00:01.000Z',
      ]);
    }));

  test('an event of a newer version stops it', () =>
    withStore(async (store) => {
      await store.append('product-p1', -1, [{ ...listed, schemaVersion: 2 }]);
      await expect(streamsIn(store).load('p1')).rejects.toBeInstanceOf(EventFromTheFuture);
    }));
});
