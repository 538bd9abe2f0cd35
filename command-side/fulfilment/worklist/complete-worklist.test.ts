import { describe, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { resumeSuspended } from '../suspension/resume-suspended.js';
import { suspendedOrders } from '../suspension/suspended-orders.js';
import { itemOf, worklist } from './worklist.js';
import { WorklistWriter } from './worklist-writer.js';
import { after } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { WorklistCompletion } from './complete-worklist.js';
import { timeLimits } from '../deadlines/time-limits.js';
import { fulfilmentConsumer, fulfilmentOf, sharedByPartitions } from '../run-fulfilment.js';
import { CloudedStore } from '../testing/clouded-store.js';
import { Bench, Driven, types } from '../testing/fulfilment-bench.js';

/** What the list has of an order. */
async function listed({ readStore }: Bench, orderId: string): Promise<readonly unknown[]> {
  await readStore.declare(worklist);
  const [document] = await readStore.load(worklist, [orderId]);
  return document === undefined ? [] : [document.revisions['fulfilment'], itemOf(document).state];
}

describe('a worklist', () => {
  test('that is not there, as after an upgrade, is made anew from the log, and what is due is found', async () => {
    const bench = new Bench();
    const driven = new Driven(bench);
    for (const orderId of ['o1', 'o2', 'o3']) await bench.place(orderId);
    await driven.work(100);
    await driven.save();
    await bench.readStore.drop(worklist);
    driven.restart();
    expect(await listed(bench, 'o1')).toEqual([]);
    await driven.look();
    for (const orderId of ['o1', 'o2', 'o3']) expect(await listed(bench, orderId)).toEqual([3, 'delivering']);
    bench.clock.advance(timeLimits.courier);
    await driven.look();
    expect(types(await bench.histories(), 'order-o2')).toEqual(['OrderPlaced', 'OrderConfirmed', 'OrderCancelled']);
  });

  test('that is whole is not made anew: the log is not read for it', async () => {
    const bench = new Bench();
    const driven = new Driven(bench);
    await driven.look();
    await bench.place('o1');
    await driven.work(100);
    await driven.save();
    const { readStore, clock } = bench;
    let pages = 0;
    const store = {
      head: () => bench.log.head(),
      recordAt: (position: number) => bench.log.recordAt(position),
      readStream: bench.log.readStream.bind(bench.log),
      readAll: (...asked: Parameters<EventStore['readAll']>) => {
        pages += 1;
        return bench.log.readAll(...asked);
      },
    };
    const begin = () => {
      const writer = new WorklistWriter({ readStore, clock });
      return new WorklistCompletion({ store, readStore, clock, writer, consumer: fulfilmentConsumer });
    };
    const partition = partitionOf('o1');
    const completion = begin();
    expect(completion.isComplete(partition)).toBe(false);
    await completion.complete(partition);
    expect(completion.isComplete(partition)).toBe(true);
    expect(pages).toBe(0);
    await readStore.drop(worklist);
    await begin().complete(partition);
    expect(pages).toBeGreaterThan(0);
    const read = pages;
    await begin().complete(partition);
    expect(pages).toBe(read);
  });

  test('is not whole while the log does not show yet all that was handled', async () => {
    const bench = new Bench();
    const driven = new Driven(bench);
    await bench.place('o1');
    await driven.work(100);
    await driven.save();
    const { log, readStore, clock } = bench;
    await readStore.drop(worklist);
    const shown = 1;
    let isAllShown = false;
    const store = {
      head: () => log.head(),
      recordAt: (position: number) => log.recordAt(position),
      readStream: log.readStream.bind(log),
      readAll: async (position: number, limit: number) => {
        const page = await log.readAll(position, isAllShown ? limit : Math.min(limit, shown - position));
        return isAllShown ? page : { ...page, isEnd: true };
      },
    };
    const writer = new WorklistWriter({ readStore, clock });
    const completion = new WorklistCompletion({ store, readStore, clock, writer, consumer: fulfilmentConsumer });
    const partition = partitionOf('o1');
    await expect(completion.complete(partition)).rejects.toThrow('does not show yet');
    expect([completion.isComplete(partition), await listed(bench, 'o1')]).toEqual([false, []]);
    isAllShown = true;
    await completion.complete(partition);
    expect(await listed(bench, 'o1')).toEqual([3, 'delivering']);
  });

  /** Two orders that are handled, and what makes the lists of them. */
  async function handled() {
    const bench = new Bench();
    const driven = new Driven(bench);
    for (const orderId of ['o1', 'o2']) await bench.place(orderId);
    await driven.work(100);
    await driven.look();
    await driven.save();
    const { log, readStore, clock } = bench;
    let isDown = false;
    const store = {
      head: () => log.head(),
      recordAt: (position: number) => log.recordAt(position),
      readAll: log.readAll.bind(log),
      readStream: (...asked: Parameters<EventStore['readStream']>) =>
        isDown ? Promise.reject(new Unavailable('event store', 'It is down.')) : log.readStream(...asked),
    };
    const writer = new WorklistWriter({ readStore, clock });
    const completion = new WorklistCompletion({ store, readStore, clock, writer, consumer: fulfilmentConsumer });
    const goes = (down: boolean) => (isDown = down);
    return { bench, completion, goes };
  }

  test.each([true, false])('is made of what can be read, and says of what cannot: made anew %s', async (isAnew) => {
    const { bench, completion } = await handled();
    if (isAnew) await bench.readStore.drop(worklist);
    bench.log.tombstone('fulfilment-o1');
    if (!isAnew) completion.renew();
    for (const orderId of ['o1', 'o2']) await completion.complete(partitionOf(orderId));
    expect(await listed(bench, 'o1')).toEqual(isAnew ? [] : [3, 'delivering']);
    expect(await listed(bench, 'o2')).toEqual([3, 'delivering']);
    const suspended = await bench.readStore.quarantined(suspendedOrders, undefined, 10);
    expect(suspended.map(({ key }) => key)).toEqual(isAnew ? ['o1'] : []);
  });

  test('is not whole while the log does not answer', async () => {
    const { bench, completion, goes } = await handled();
    await bench.readStore.drop(worklist);
    goes(true);
    await expect(completion.complete(partitionOf('o1'))).rejects.toThrow('It is down.');
    expect(completion.isComplete(partitionOf('o1'))).toBe(false);
    goes(false);
    await completion.complete(partitionOf('o1'));
    expect(await listed(bench, 'o1')).toEqual([3, 'delivering']);
  });

  test('is not whole where the log turned out to be another while it was made', async () => {
    const bench = new Bench();
    const driven = new Driven(bench);
    await bench.place('o1');
    await driven.work(100);
    await driven.save();
    const { log, readStore, clock } = bench;
    await readStore.drop(worklist);
    const writer = new WorklistWriter({ readStore, clock });
    let isTold = false;
    const store = {
      head: () => log.head(),
      recordAt: (position: number) => log.recordAt(position),
      readStream: log.readStream.bind(log),
      readAll: (position: number, limit: number) => {
        if (!isTold) completion.renew();
        isTold = true;
        return log.readAll(position, limit);
      },
    };
    const completion = new WorklistCompletion({ store, readStore, clock, writer, consumer: fulfilmentConsumer });
    const partition = partitionOf('o1');
    await expect(completion.complete(partition)).rejects.toThrow('is yet to be followed');
    expect(completion.isComplete(partition)).toBe(false);
    await completion.complete(partition);
    expect(await listed(bench, 'o1')).toEqual([3, 'delivering']);
  });

  test('keeps what one has listed whose position is not saved yet, when another finds itself in another log', async () => {
    const bench = new Bench();
    const one = sharedByPartitions(bench.dependencies());
    const another = sharedByPartitions(bench.dependencies());
    const partition = partitionOf('o1');
    const target = fulfilmentOf(partition, bench.dependencies(), one);
    await target.position();
    await bench.place('o1');
    const events = await bench.events();
    await target.apply(events, after(events.at(-1)!));
    await one.completion.complete(partition);
    await one.worklist.flush(partition);
    another.completion.renew();
    await another.completion.complete(partition);
    await one.late.flush(partition);
    expect(await listed(bench, 'o1')).toEqual([1, 'authorising']);
  });

  test('is mended where it tells of what this log does not have: nothing of it, or less, or another state', async () => {
    const bench = new Bench();
    const store = new CloudedStore(bench.log);
    const driven = new Driven(bench, store);
    for (const orderId of ['o1', 'o2']) await bench.place(orderId);
    store.clouds.set('order-o2@1', 'payload');
    await driven.work(100);
    await driven.save();
    const held = async () => (await bench.readStore.quarantined(suspendedOrders, undefined, 9)).map(({ key }) => key);
    expect([await listed(bench, 'o1'), await held()]).toEqual([[3, 'delivering'], ['o2']]);
    const restored = new Bench();
    restored.payments.gateway.fate = () => 'lost';
    await restored.place('o1');
    await new Driven(restored).work(100, 1);
    const { readStore } = bench;
    const dependencies = { ...restored.dependencies(restored.log), positions: readStore };
    const shared = sharedByPartitions(dependencies);
    const partition = partitionOf('o1');
    await fulfilmentOf(partition, dependencies, shared).position();
    await shared.completion.complete(partition);
    expect(types(await restored.histories(), 'fulfilment-o1')).toHaveLength(2);
    expect(await listed(bench, 'o1')).toEqual([1, 'authorising']);
    expect(await held()).toEqual([]);
    expect(await shared.worklist.due(partitionOf('o2'), Date.parse('2030-01-01'), 9)).not.toContain('o2');
  });

  test('holds the suspended orders too', async () => {
    const bench = new Bench();
    const store = new CloudedStore(bench.log);
    const driven = new Driven(bench, store);
    for (const orderId of ['o1', 'o2']) await bench.place(orderId);
    store.clouds.set('order-o1@1', 'payload');
    await driven.work(100);
    await driven.save();
    const held = async () => (await bench.readStore.quarantined(suspendedOrders, undefined, 9)).map(({ key }) => key);
    expect(await held()).toEqual(['o1']);
    for (const collection of [worklist, suspendedOrders]) await bench.readStore.drop(collection);
    driven.restart();
    await driven.look();
    expect(await held()).toEqual(['o1']);
    store.clouds.clear();
    const actor = { sub: 'ann', role: 'operator' };
    await resumeSuspended('o1', { store: bench.log, clock: bench.clock, actor, reason: 'mended' });
    await driven.work(100);
    expect(await held()).toEqual([]);
  });

  test('has the suspension of an order as it has its other events, by the time they are passed', async () => {
    const bench = new Bench();
    const store = new CloudedStore(bench.log);
    const driven = new Driven(bench, store);
    await bench.place('o1');
    store.clouds.set('order-o1@1', 'payload');
    await driven.work(100);
    await driven.save();
    const { length } = await bench.log.readStream('fulfilment-o1', 0, 100);
    expect(await listed(bench, 'o1')).toEqual([length - 1, 'confirming']);
  });

  test('has a retry of which nobody heard, by the time its event is passed', async () => {
    const bench = new Bench();
    bench.payments.gateway.fate = () => 'lost';
    const driven = new Driven(bench);
    await bench.place('o1');
    await driven.work(100);
    await driven.save();
    bench.clock.advance(30_000);
    let isHeard = false;
    bench.store.fate = (stream) => (stream === 'fulfilment-o1' && !isHeard ? 'cut off' : 'done');
    await expect(driven.look()).rejects.toThrow();
    isHeard = true;
    await driven.work(100);
    await driven.save();
    expect(types(await bench.histories(), 'fulfilment-o1')).toHaveLength(3);
    expect(await listed(bench, 'o1')).toEqual([2, 'authorising']);
  });
});
