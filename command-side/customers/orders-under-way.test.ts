import { beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { appendUnreadable } from '@waybill/infra/event-store/testing/append-unreadable.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { Bench, Driven } from '../fulfilment/testing/fulfilment-bench.js';
import { OrdersUnderWay } from './orders-under-way.js';

test('orders under way are those of the log that is there now, though an older one was put in its place', async () => {
  const bench = new Bench();
  for (const orderId of ['o1', 'o2', 'o3']) await bench.place(orderId);
  let log: EventStore = bench.log;
  const store: ConstructorParameters<typeof OrdersUnderWay>[0]['store'] = {
    readAll: (...asked) => log.readAll(...asked),
    head: () => log.head(),
    recordAt: (position) => log.recordAt(position),
  };
  const timer = { sleep: () => Promise.resolve() };
  const underWay = new OrdersUnderWay({ store, clock: bench.clock, timer });
  expect(await underWay.of('c1')).toEqual({ theirs: ['o1', 'o2', 'o3'], ofUnknown: [] });
  await bench.cancel('o1');
  expect(await underWay.of('c1')).toEqual({ theirs: ['o2', 'o3'], ofUnknown: [] });
  const restored = new Bench();
  await restored.place('o4');
  ({ log } = restored);
  expect(await underWay.of('c1')).toEqual({ theirs: ['o4'], ofUnknown: [] });
  log = new MemoryEventStore(bench.clock);
  expect(await underWay.of('c1')).toEqual({ theirs: [], ofUnknown: [] });
});

test('an order that the log does not show yet, though it ends with it, is not passed over in silence', async () => {
  const bench = new Bench();
  for (const orderId of ['o1', 'o2']) await bench.place(orderId);
  let hidden = 1;
  const store: ConstructorParameters<typeof OrdersUnderWay>[0]['store'] = {
    head: () => bench.log.head(),
    recordAt: (position) => bench.log.recordAt(position),
    readAll: async (after, limit) => {
      const shown = (await bench.log.head()) - hidden;
      const { events } = await bench.log.readAll(after, limit);
      const before = events.filter(({ position }) => position <= shown);
      return { events: before, marks: [], through: shown, isEnd: true };
    },
  };
  const underWay = new OrdersUnderWay({ store, clock: bench.clock, timer: { sleep: () => Promise.resolve() } });
  await expect(underWay.of('c1')).rejects.toBeInstanceOf(Unavailable);
  hidden = 0;
  expect(await underWay.of('c1')).toEqual({ theirs: ['o1', 'o2'], ofUnknown: [] });
});

describe('an order whose first event cannot be read', () => {
  let log: MemoryEventStore;
  let underWay: OrdersUnderWay;
  beforeEach(() => {
    const clock = virtualClock('2026-01-01T10:00:00Z');
    log = new MemoryEventStore(clock);
    underWay = new OrdersUnderWay({ store: log, clock, timer: { sleep: () => Promise.resolve() } });
  });

  const unreadable = () => appendUnreadable(log, 'order-o1', -1);

  async function append(stream: string, type: string, data: object, envelope: Partial<NewEvent> = {}): Promise<void> {
    const [last] = await log.readStreamBackwards(stream, Infinity, 1).catch(() => [{ revision: 0 }]);
    const event = { ...newEvent(), type, data: { orderId: 'o1', ...data }, partitionKey: 'o1', ...envelope };
    await log.append(stream, last?.revision ?? -1, [event]);
  }

  const directed = (stream: string, subject: string | null = 'ann') =>
    append(`request-${stream}`, 'RequestDirected', { stream, hash: 'h', subject }, { schemaVersion: 2 });
  const started = () =>
    append('fulfilment-o1', 'FulfilmentStarted', { customerId: 'ann', items: [] }, { schemaVersion: 2 });
  const scheduled = () => append(`delivery-${deliveryIdOf('o1')}`, 'DeliveryScheduled', { customerId: 'ann' });

  const nobodys = { theirs: [], ofUnknown: [] };

  test.each([
    ['the request', async () => (await directed('order-o1'), unreadable())],
    ['its fulfilment', async () => (await unreadable(), started())],
    ['its delivery', async () => (await unreadable(), scheduled())],
  ])('is under way for whom %s names, until it ends', async (_, happens) => {
    await happens();
    expect(await underWay.of('ann')).toEqual({ theirs: ['o1'], ofUnknown: [] });
    expect(await underWay.of('bob')).toEqual(nobodys);
    await append('order-o1', 'OrderCancelled', {}, { schemaVersion: 2 });
    expect(await underWay.of('ann')).toEqual(nobodys);
  });

  test("that nothing names the customer of may be anybody's, until it ends", async () => {
    await directed('customer-o1', 'ann');
    await directed('order-o1', null);
    await unreadable();
    expect(await underWay.of('ann')).toEqual({ theirs: [], ofUnknown: ['o1'] });
    await append('order-o1', 'OrderConfirmed', {});
    expect(await underWay.of('bob')).toEqual({ theirs: [], ofUnknown: ['o1'] });
    await started();
    await append('order-o1', 'OrderDispatched', { deliveryId: 'd', courierId: 'k' });
    expect(await underWay.of('bob')).toEqual(nobodys);
    expect(await underWay.of('ann')).toEqual({ theirs: ['o1'], ofUnknown: [] });
    await append('order-o1', 'OrderCancelled', {}, { schemaVersion: 2 });
    expect(await underWay.of('ann')).toEqual(nobodys);
  });

  test.each([
    ['cannot be read', async () => appendUnreadable(log, 'order-o1', 0)],
    [
      'is of a stream that is gone',
      async () => {
        log.tombstone('order-o1');
        await Promise.resolve();
      },
    ],
  ])('has ended by what its fulfilment says, where its end %s', async (_, harm) => {
    await append('order-o1', 'OrderPlaced', { customerId: 'ann', lines: [], total: 0, currency: 'EUR' });
    await started();
    expect(await underWay.of('ann')).toEqual({ theirs: ['o1'], ofUnknown: [] });
    await harm();
    expect(await underWay.of('ann')).toEqual({ theirs: ['o1'], ofUnknown: [] });
    await append('fulfilment-o1', 'FulfilmentCompleted', {});
    expect(await underWay.of('ann')).toEqual(nobodys);
    const anew = new OrdersUnderWay({ store: log, clock: virtualClock(0), timer: { sleep: () => Promise.resolve() } });
    expect(await anew.of('ann')).toEqual(nobodys);
  });

  test("is nobody's any more once it has ended", async () => {
    await unreadable();
    expect((await underWay.of('ann')).ofUnknown).toEqual(['o1']);
    await append('order-o1', 'OrderCancelled', {}, { schemaVersion: 2 });
    expect(await underWay.of('ann')).toEqual(nobodys);
  });

  test('is what the log is read again for, and no other order is', async () => {
    const bench = new Bench();
    let reads = 0;
    const store: ConstructorParameters<typeof OrdersUnderWay>[0]['store'] = {
      head: () => bench.log.head(),
      recordAt: (position) => bench.log.recordAt(position),
      readAll: (...asked) => {
        reads += 1;
        return bench.log.readAll(...asked);
      },
    };
    const again = new OrdersUnderWay({ store, clock: bench.clock, timer: { sleep: () => Promise.resolve() } });
    await bench.place('o2');
    await new Driven(bench).work(100);
    expect((await again.of('c1')).theirs).toEqual(['o2']);
    expect(reads).toBe(1);
    await appendUnreadable(bench.log, 'order-o1', -1);
    await again.of('c1');
    expect(reads).toBe(3);
    await again.of('c1');
    expect(reads).toBe(4);
  });

  test.each([
    ['its own stream', () => append('order-o1', 'OrderDelivered', {})],
    ['a fulfilment that was completed', () => append('fulfilment-o1', 'FulfilmentCompleted', {})],
    ['a fulfilment that was cancelled', () => append('fulfilment-o1', 'FulfilmentCancelled', {})],
  ])('is not under way where %s says that it ended', async (_, ends) => {
    await directed('order-o1');
    await unreadable();
    await ends();
    expect(await underWay.of('ann')).toEqual(nobodys);
  });

  test('or is gone is under way all the same', async () => {
    await append('order-o1', 'OrderConfirmed', {});
    await started();
    expect((await underWay.of('ann')).theirs).toEqual(['o1']);
  });

  test('of which nothing is left but that its stream was tombstoned is under way for who asked for it', async () => {
    await directed('order-o1');
    log.tombstone('order-o1');
    expect((await underWay.of('ann')).theirs).toEqual(['o1']);
  });

  test('is no order of ours, where nothing but a tombstone tells of it', async () => {
    await append('customer-o1', 'CustomerErased', { customerId: 'o1' });
    log.tombstone('order-o1');
    expect(await underWay.of('ann')).toEqual(nobodys);
  });

  test('is not under way where it is imported history', async () => {
    await unreadable();
    await append('order-o1', 'OrderConfirmed', {}, { imported: true });
    expect(await underWay.of('ann')).toEqual(nobodys);
  });

  test('one that ended before its stream was cut is not under way, one that did not is', async () => {
    const bench = new Bench();
    for (const orderId of ['o1', 'o2']) await bench.place(orderId);
    await bench.cancel('o1');
    const { log: store, clock } = bench;
    for (const orderId of ['o1', 'o2']) store.truncate(`order-${orderId}`, 1);
    const again = new OrdersUnderWay({ store, clock, timer: { sleep: () => Promise.resolve() } });
    expect(await again.of('c1')).toEqual({ theirs: ['o2'], ofUnknown: [] });
  });
});
