import { describe, expect, test } from '@jest/globals';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { WorkOnPartition } from '@waybill/shared-kernel/partitions/assignment.js';
import { logBeginning, Trail } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { identityOf } from '@waybill/shared-kernel/testing/relay-by-hand.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { HeadWatch } from '@waybill/shared-kernel/subscriptions/watch-head.js';
import { itemOf, worklist } from './worklist/worklist.js';
import { FaultyStore } from '../testing/faulty-store.js';
import { fulfilmentOf, runFulfilment, sharedByPartitions } from './run-fulfilment.js';
import { Bench, Driven, types } from './testing/fulfilment-bench.js';

const partition = partitionOf('o1');
/** Other orders of the same partition. */
const [other, another] = Array.from({ length: 1000 }, (_, index) => `other-${index}`).filter(
  (id) => partitionOf(id) === partition,
) as [string, string];
const endOfTime = Date.parse('2030-01-01T00:00:00.000Z');

/** What the list has of an order. */
async function listed({ readStore }: Bench, orderId: string): Promise<readonly unknown[]> {
  await readStore.declare(worklist);
  const [document] = await readStore.load(worklist, [orderId]);
  return document === undefined ? [] : [document.revisions['fulfilment'], itemOf(document).state];
}

/** The same store, but that something is done before each commit. */
function committing(readStore: ReadStore, before: (batch: Parameters<ReadStore['commit']>[0]) => void): ReadStore {
  return new Proxy(readStore, {
    get: (target, name: keyof ReadStore) => {
      const method = (target[name] as (...asked: unknown[]) => unknown).bind(target);
      if (name !== 'commit') return method;
      return async (...asked: Parameters<ReadStore['commit']>) => {
        before(asked[0]);
        return target.commit(...asked);
      };
    },
  });
}

describe('a partition that is given away and taken back', () => {
  test('begins without what was noted in it before', async () => {
    const bench = new Bench();
    let isDown = false;
    const written: string[] = [];
    const positions = committing(bench.readStore, ({ collection, writes }) => {
      if (isDown) throw new Unavailable('read store', 'Gone.');
      if (collection.name === worklist.name) written.push(...writes.map(({ key }) => key));
    });
    let begin: WorkOnPartition | undefined;
    const running = runFulfilment({
      ...bench.dependencies(),
      positions,
      broker: openMemoryBroker(),
      identity: () => identityOf(bench.log),
      headWatch: new HeadWatch({ store: bench.log, timer: bench.timer }),
      assign: (_, work) => {
        begin = work;
        return { held: () => [], stop: () => Promise.resolve() };
      },
    });
    const isFollowing = (): boolean => running.states()[0]?.mode === 'following';
    await bench.place('o1');
    const first = begin!(partition);
    await until(isFollowing);
    expect(types(await bench.histories(), 'fulfilment-o1')).toHaveLength(2);
    isDown = true;
    await first.stop();
    expect(written).toEqual([]);
    isDown = false;
    const meanwhile = new Driven(bench);
    await meanwhile.work(100);
    await meanwhile.save();
    await bench.place(other);
    const second = begin!(partition);
    await until(isFollowing);
    await second.stop();
    expect(new Set(written)).toEqual(new Set([other]));
    expect(await listed(bench, 'o1')).toEqual([3, 'delivering']);
  });

  test('looks anew at what the list has of it', async () => {
    const bench = new Bench();
    const shared = sharedByPartitions(bench.dependencies());
    const target = fulfilmentOf(partition, bench.dependencies(), shared);
    await target.position();
    await target.lookAtDeadlines(endOfTime);
    const meanwhile = new Driven(bench);
    await bench.place('o1');
    await meanwhile.work(100);
    await meanwhile.save();
    await bench.readStore.drop(worklist);
    await target.position();
    await target.lookAtDeadlines(endOfTime);
    expect(await listed(bench, 'o1')).toEqual([3, 'delivering']);
  });

  test('loses nothing of what is listed of it at that moment', async () => {
    const bench = new Bench();
    const meanwhile = new Driven(bench);
    for (const orderId of ['o1', other, another]) await bench.place(orderId);
    await meanwhile.work(100);
    await meanwhile.save();
    await bench.readStore.drop(worklist);
    const store = new FaultyStore(bench.log);
    const dependencies = bench.dependencies(store);
    const shared = sharedByPartitions(dependencies);
    const target = fulfilmentOf(partition, dependencies, shared);
    await target.position();
    let takenBack = 0;
    store.readStream = async (...asked) => {
      // The others are noted by now, and not written yet.
      if (asked[0] === `fulfilment-${another}`) {
        takenBack += 1;
        await target.position();
      }
      return bench.log.readStream(...asked);
    };
    await shared.completion.complete((partition + 1) % partitionCount);
    expect(takenBack).toBeGreaterThan(0);
    for (const orderId of ['o1', other, another]) expect(await listed(bench, orderId)).toEqual([3, 'delivering']);
  });
});

test('a partition lists nothing of what it had noted in a log in whose place an older one was put', async () => {
  const bench = new Bench();
  await bench.place('o1');
  const backup = await bench.events();
  await bench.place(other);
  const placed = await bench.events();
  let log: EventStore = bench.log;
  const store = new Proxy(bench.log, {
    get: (_, name: keyof EventStore) => (log[name] as (...asked: unknown[]) => unknown).bind(log),
  });
  const dependencies = bench.dependencies(store);
  const shared = sharedByPartitions(dependencies);
  const target = fulfilmentOf(partition, dependencies, shared);
  await target.position();
  await target.apply(placed, Trail.from(logBeginning).pass(placed, 2).position());
  expect(shared.worklist.knownUpTo(other)).toBe(1);
  log = new MemoryEventStore(bench.clock);
  for (const { stream, revision, position: _, recordedAt: __, ...event } of backup) {
    await log.append(stream, revision - 1, [event]);
  }
  const begun = await target.position();
  expect(begun.through).toBe(0);
  await target.apply(backup, Trail.from(begun).pass(backup, 1).position());
  await target.lookAtDeadlines(endOfTime);
  expect(await listed(bench, other)).toEqual([]);
  expect(await listed(bench, 'o1')).toEqual([1, 'authorising']);
});
