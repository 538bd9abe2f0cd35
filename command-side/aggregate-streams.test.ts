import { describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { EventFromTheFuture, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { AggregateStreams, type AggregateStreamsOptions } from './aggregate-streams.js';
import { product } from './catalogue/product.js';
import { stores } from './testing/stores.js';

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

  test('what others append is seen, and only what is new is read', () =>
    withStore(async (store) => {
      const asked: number[] = [];
      const readStream: EventStore['readStream'] = (stream, from, limit) => {
        asked.push(from);
        return store.readStream(stream, from, limit);
      };
      const append: EventStore['append'] = (stream, at, events) => store.append(stream, at, events);
      const streams = new AggregateStreams({ append, readStream }, 'product', product);
      await store.append('product-p1', -1, [listed]);
      await streams.load('p1');
      await store.append('product-p1', 0, [priced(1), priced(2)]);
      const { state, revision, position } = await streams.load('p1');
      expect([state, revision, position]).toMatchObject([{ unitPrice: 2 }, 2, await store.head()]);
      await streams.load('p1');
      expect(asked).toEqual([0, 1, 3]);
    }));

  test('a long stream is read to its end', () =>
    withStore(async (store) => {
      await store.append('product-p1', -1, [listed, ...Array.from({ length: 2500 }, (_unused, i) => priced(i + 1))]);
      const streams = streamsIn(store);
      expect(await streams.load('p1')).toMatchObject({ state: { unitPrice: 2500 }, revision: 2500 });
      expect(await streams.stateAt('p1', 1200)).toMatchObject({ unitPrice: 1200 });
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

  test('requests are known by the last of their events, read or appended, however few are kept', () =>
    withStore(async (store) => {
      const streams = streamsIn(store, { keep: 1 });
      const both = [
        { ...listed, request },
        { ...priced(1), request },
      ];
      const appended = await streams.append('p1', streams.unwritten(), both);
      const recorded = { mark: request, revision: 1, position: appended.position };
      expect(await streams.recorded('p1', appended, 'r')).toEqual(recorded);
      await streams.append('p2', streams.unwritten(), [event(9, 'ProductWithdrawn', { productId: 'p2' })]);
      expect(streams.lastSeen('p1')).toBeUndefined();
      const loaded = await streams.load('p1');
      expect(await streams.recorded('p1', loaded, 'r')).toEqual(recorded);
      expect(await streams.recorded('p1', loaded, 'other')).toBeUndefined();
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

  test('an event of a newer version stops it', () =>
    withStore(async (store) => {
      await store.append('product-p1', -1, [{ ...listed, schemaVersion: 2 }]);
      await expect(streamsIn(store).load('p1')).rejects.toBeInstanceOf(EventFromTheFuture);
    }));
});
