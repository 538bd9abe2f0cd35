import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openMemoryLeaseStore, type MemoryLeases } from '@waybill/infra/lease/memory/lease-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import {
  everyPartition,
  type AssignPartitions,
  type PartitionWork,
  type WorkOnPartition,
} from '@waybill/shared-kernel/partitions/assignment.js';
import { EventFromTheFuture, Unavailable } from '@waybill/shared-kernel/errors.js';
import { leasedPartitions } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { BatchPublisher } from '@waybill/shared-kernel/ports/broker.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { chaoticBroker } from '@waybill/shared-kernel/testing/chaotic-broker.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { SimulatedTime } from '@waybill/shared-kernel/testing/simulated-time.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { projections } from '../read-models/projections.js';
import { orders } from '../read-models/orders.js';
import { startProjector, type Projector, type ProjectorDependencies } from './projector.js';
import { isPassed, takenBy } from '../testing/applied.js';
import { confirmed, onOrder, placed, scheduled, type Happening } from '../testing/history.js';
import { appendAll, documentsOf, straightFold } from '../testing/logs.js';
import { randomHistory } from '../testing/random-history.js';
import { HeadWatch } from '@waybill/shared-kernel/subscriptions/watch-head.js';
import { identityOf, RelayByHand } from '@waybill/shared-kernel/testing/relay-by-hand.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

class Bench {
  readonly clock = virtualClock('2026-03-01T12:00:00Z');
  readonly timer = manualTimer();
  readonly log = new MemoryEventStore(this.clock);
  readonly readStore: ReadStore = openSqliteReadStore(':memory:');
  readonly broker = openMemoryBroker();
  readonly faults: Error[] = [];
  /** Runs before each commit. */
  before: ReadStore['commit'] = () => Promise.resolve([]);
  readonly #relay = new RelayByHand(this.log);

  dependencies(): ProjectorDependencies {
    const { readStore } = this;
    return {
      broker: this.broker,
      store: this.log,
      identity: () => identityOf(this.log),
      headWatch: new HeadWatch({ store: this.log, timer: this.timer }),
      clock: this.clock,
      timer: this.timer,
      randomness: seededRandomness('projector'),
      assign: everyPartition,
      report: (fault) => this.faults.push(fault),
      readStore: {
        declare: (collection) => readStore.declare(collection),
        load: (collection, keys) => readStore.load(collection, keys),
        position: (collection, partition) => readStore.position(collection, partition),
        positions: (collection) => readStore.positions(collection),
        commit: async (batch) => {
          await this.before(batch);
          return readStore.commit(batch);
        },
      },
    };
  }

  async append(happenings: readonly Happening[]): Promise<void> {
    await appendAll(this.log, happenings);
  }

  /** What a relay does. */
  async relay(broker: BatchPublisher = this.broker): Promise<void> {
    await this.#relay.relay(broker);
  }

  /** Waits until every partition has applied all of its events, ending the waits of those that look for trouble. */
  async applied(): Promise<void> {
    const events = await wholeLog(this.log);
    await until(async () => {
      this.timer.elapse();
      for (const projection of projections) {
        const positions = await this.readStore.positions(projection.collection);
        if (!takenBy(projection, events).every((event) => isPassed(event, positions))) return false;
      }
      return true;
    });
  }

  async expectConverged(): Promise<void> {
    for (const projection of projections) {
      expect(await documentsOf(this.readStore, projection)).toEqual(await straightFold(this.log, projection));
    }
  }

  async end(): Promise<void> {
    await this.broker.close();
    await this.log.close();
    await this.readStore.close();
  }
}

describe('the projector', () => {
  let bench: Bench;
  let projector: Projector | undefined;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(async () => {
    await projector?.stop();
    await bench.end();
  });

  const start = (): Projector => (projector = startProjector(projections, bench.dependencies()));

  test('catches up, then follows', async () => {
    await bench.append([placed('o1')]);
    await start().following;
    await bench.append([confirmed('o1'), scheduled('o1'), placed('o2')]);
    await bench.relay();
    await bench.applied();
    await bench.expectConverged();
    expect(bench.faults).toEqual([]);
    expect(projector!.states()).toHaveLength(projections.length * partitionCount);
    await until(() => projector!.states().every((state) => state.mode === 'following'));
    expect(projector!.states()[0]).toMatchObject({ projection: 'orders', version: 2, partition: 0 });
  });

  test('waits for a store that is down as it starts', async () => {
    bench.before = () =>
      bench.faults.length < 2 ? Promise.reject(new Unavailable('read store', 'Gone.')) : Promise.resolve([]);
    await bench.append([placed('o1')]);
    const { following } = start();
    let isFollowing = false;
    void following.then(() => {
      isFollowing = true;
    });
    await until(() => {
      bench.timer.elapse();
      return isFollowing;
    });
    expect(bench.faults).toHaveLength(2);
    await bench.expectConverged();
  });

  test('stops while it waits for a store that is down', async () => {
    bench.before = () => Promise.reject(new Unavailable('read store', 'Gone.'));
    await bench.append([placed('o1')]);
    start();
    await until(() => bench.faults.length > 0);
    await projector!.stop();
    expect(projector!.states()).toEqual([]);
  });

  test('holds up only the partition and projection that cannot go on', async () => {
    const known = onOrder('o1', { type: 'OrderConfirmed', data: { orderId: 'o1' } });
    await bench.append([placed('o1'), { ...known, event: { ...known.event, schemaVersion: 9 } }]);
    await start().following;
    await bench.append([scheduled('o1'), placed('o2')]);
    await bench.relay();
    await until(async () => (await bench.readStore.count(orders.collection)) === 2);
    await until(() => projector!.states().filter((state) => state.mode === 'paused').length === 1);
    const [paused] = projector!.states().filter((state) => state.mode === 'paused');
    expect(paused).toMatchObject({ projection: 'orders', partition: partitionOf('o1'), position: 1 });
  });
});

/** Partitions as a test gives and takes them. */
class GivenPartitions {
  readonly #works = new Map<number, PartitionWork>();
  #work: WorkOnPartition = () => ({ stop: () => Promise.resolve() });

  /** How far the work on a partition says that it has come. */
  progress(partition: number): unknown {
    return this.#works.get(partition)?.progress?.();
  }

  readonly assign: AssignPartitions = (_group, work) => {
    this.#work = work;
    return {
      held: () => [...this.#works.keys()],
      stop: () => this.take(...this.#works.keys()),
    };
  };

  give(...partitions: readonly number[]): void {
    for (const partition of partitions) this.#works.set(partition, this.#work(partition));
  }

  async take(...partitions: readonly number[]): Promise<void> {
    const taken = partitions.map((partition) => this.#works.get(partition)!);
    for (const partition of partitions) this.#works.delete(partition);
    await Promise.all(taken.map((work) => work.stop()));
  }
}

describe('a projector among others', () => {
  let bench: Bench;
  let given: GivenPartitions;
  let projector: Projector;
  /** Where each reading of the log began. */
  let readings: number[];
  /** Called with each. */
  let onReading = (_after: number): void => {};
  const orderIds = Array.from({ length: 40 }, (_, index) => `o${index}`);

  beforeEach(() => {
    bench = new Bench();
    given = new GivenPartitions();
    readings = [];
    onReading = () => {};
  });
  afterEach(async () => {
    await projector.stop();
    await bench.end();
  });

  function start(some: readonly Projection[] = projections): void {
    const { log } = bench;
    const store: ProjectorDependencies['store'] = {
      head: () => log.head(),
      recordAt: (position) => log.recordAt(position),
      readStream: (...asked) => log.readStream(...asked),
      cutOf: (stream) => log.cutOf(stream),
      readAll: (after, limit) => {
        readings.push(after);
        onReading(after);
        return log.readAll(after, limit);
      },
    };
    projector = startProjector(some, { ...bench.dependencies(), store, assign: given.assign });
  }

  const followed = (): string[] => [
    ...new Set(projector.states().map(({ projection, partition }) => `${projection}/${partition}`)),
  ];
  const areFollowed = (count: number): Promise<void> => until(() => followed().length === count);

  test('projects its partitions and no others', async () => {
    await bench.append(orderIds.map((id) => placed(id)));
    start();
    given.give(2, 5);
    await projector.following;
    expect(projector.held()).toEqual([2, 5]);
    const documents = await documentsOf(bench.readStore, orders);
    expect(documents.map(({ key }) => key).sort()).toEqual(
      orderIds.filter((id) => [2, 5].includes(partitionOf(id))).sort(),
    );
    const head = await bench.log.head();
    const positions = await bench.readStore.positions(orders.collection);
    expect(positions.map(({ through }) => through)).toEqual([0, 0, head, 0, 0, head, 0, 0]);
  });

  test('reads the log once for all that it is given together', async () => {
    await bench.append(orderIds.map((id) => placed(id)));
    start();
    given.give(...Array(partitionCount).keys());
    await projector.following;
    // Once for all; then each looks whether there is more.
    expect(readings.filter((after) => after === 0)).toEqual([0]);
    await bench.expectConverged();
  });

  test('that loses a partition as it catches up lets it go at the next page, and goes on with the others', async () => {
    await bench.append(orderIds.map((id) => placed(id)));
    start();
    let [release, reached] = [(): void => {}, (): void => {}];
    const held = new Promise<void>((resolve) => (release = resolve));
    const waiting = new Promise<void>((resolve) => (reached = resolve));
    bench.before = async () => {
      reached();
      await held;
      return [];
    };
    given.give(...Array(partitionCount).keys());
    await waiting;
    let isTaken = false;
    const taken = given.take(0, 1, 2, 3).then(() => (isTaken = true));
    await turns(20);
    expect(isTaken).toBe(false);
    release();
    await taken;
    await areFollowed(4 * projections.length);
    expect([...new Set(projector.states().map(({ partition }) => partition))]).toEqual([4, 5, 6, 7]);
    given.give(0, 1, 2, 3);
    await areFollowed(8 * projections.length);
    await bench.expectConverged();
  });

  test('that gets a partition back goes on from what another did meanwhile', async () => {
    await bench.append([placed('o1')]);
    start();
    given.give(...Array(partitionCount).keys());
    await projector.following;
    await given.take(partitionOf('o1'));
    await bench.append([confirmed('o1')]);
    const other = new GivenPartitions();
    const second = startProjector(projections, { ...bench.dependencies(), assign: other.assign });
    other.give(partitionOf('o1'));
    await second.following;
    await bench.append([scheduled('o1')]);
    await other.take(partitionOf('o1'));
    given.give(partitionOf('o1'));
    await areFollowed(8 * projections.length);
    await bench.relay();
    await bench.applied();
    await bench.expectConverged();
  });

  test('says how far each partition has come, and what pauses it', async () => {
    const known = onOrder('o1', { type: 'OrderConfirmed', data: { orderId: 'o1' } });
    await bench.append([placed('o1'), { ...known, event: { ...known.event, schemaVersion: 9 } }]);
    start([orders]);
    const [partition, another] = [partitionOf('o1'), (partitionOf('o1') + 1) % partitionCount];
    given.give(partition, another);
    await until(() => projector.states().some(({ mode }) => mode === 'paused'));
    await until(() => projector.states().some(({ mode }) => mode === 'following'));
    expect(given.progress(partition)).toEqual([
      { name: `orders.v2/${partition}`, position: 1, isUpToDate: false, fault: expect.any(EventFromTheFuture) },
    ]);
    expect(given.progress(another)).toMatchObject([{ name: `orders.v2/${another}`, isUpToDate: true }]);
  });

  test('says so when it cannot even catch up, and how far it read at most', async () => {
    await bench.append([placed('o1')]);
    bench.before = () => Promise.reject(new Unavailable('read store', 'Gone.'));
    // Two pages of the log.
    await bench.append(Array.from({ length: 1_000 }, (_, index) => placed(`more-${index}`)));
    start([orders]);
    given.give(partitionOf('o1'));
    expect(given.progress(partitionOf('o1'))).toEqual([]);
    await until(() => bench.faults.length > 0);
    const expected = [{ position: 1_001, isUpToDate: false, fault: bench.faults[0] }];
    expect(given.progress(partitionOf('o1'))).toMatchObject(expected);
    // It reads them again, and that is no progress.
    const again: unknown[] = [];
    onReading = (after) => {
      if (after === 1_000) again.push(given.progress(partitionOf('o1')));
    };
    bench.timer.elapse();
    await until(() => again.length > 0);
    expect(again[0]).toMatchObject(expected);
  });

  test('of an older program leaves a partition whose event is too new to it to a newer one, which goes on', async () => {
    const time = new SimulatedTime();
    const leases: MemoryLeases = new Map();
    const { log } = bench;
    /** To it an order that is confirmed is of a version that it does not know. */
    const older: ProjectorDependencies['store'] = {
      head: () => log.head(),
      recordAt: (position) => log.recordAt(position),
      readStream: (...asked) => log.readStream(...asked),
      cutOf: (stream) => log.cutOf(stream),
      readAll: async (after, limit) => {
        const page = await log.readAll(after, limit);
        const events = page.events.map((event) =>
          event.type === 'OrderConfirmed' ? { ...event, schemaVersion: 9 } : event,
        );
        return { ...page, events };
      },
    };
    const begin = (number: number, store: ProjectorDependencies['store']): Projector => {
      const { clock, timer } = time.process(number * 1_000_000);
      const randomness = seededRandomness(`projector ${number}`);
      const assign = leasedPartitions({ leases: openMemoryLeaseStore(leases, clock), clock, timer, randomness });
      const headWatch = new HeadWatch({ store, timer });
      return startProjector(projections, { ...bench.dependencies(), store, headWatch, timer, assign });
    };
    const passUntil = (condition: () => boolean | Promise<boolean>): Promise<void> =>
      until(async () => {
        await time.pass(100);
        return condition();
      });
    projector = begin(1, older);
    await passUntil(() => projector.held().length === partitionCount);
    const newer = begin(2, log);
    await passUntil(() => projector.held().length === 4 && newer.held().length === 4);
    const theirs = orderIds.filter((id) => projector.held().includes(partitionOf(id)));
    await bench.append(theirs.map((id) => placed(id)));
    await bench.append([confirmed(theirs[0]!)]);
    // The messages are lost, as may be.
    await bench.relay({ publish: () => Promise.resolve() });
    await passUntil(() => newer.held().includes(partitionOf(theirs[0]!)));
    expect([projector.held().length, newer.held().length]).toEqual([3, 5]);
    const events = await wholeLog(log);
    await passUntil(async () => {
      for (const projection of projections) {
        const positions = await bench.readStore.positions(projection.collection);
        if (!takenBy(projection, events).every((event) => isPassed(event, positions))) return false;
      }
      return true;
    });
    await bench.expectConverged();
    await newer.stop();
  });

  test('keeps up other projections from when it is told to', async () => {
    await bench.append(orderIds.map((id) => placed(id)));
    const [first, ...rest] = projections;
    start([first!]);
    given.give(0, 1);
    await projector.following;
    expect(followed()).toEqual([0, 1].map((partition) => `${first!.collection.name}/${partition}`));
    await projector.setProjections(rest);
    expect(followed().sort()).toEqual(
      rest.flatMap(({ collection }) => [0, 1].map((partition) => `${collection.name}/${partition}`)).sort(),
    );
    given.give(2);
    await areFollowed(3 * rest.length);
    await Promise.all([projector.setProjections([]), projector.setProjections(projections)]);
    expect(followed()).toHaveLength(3 * projections.length);
    given.give(3, 4, 5, 6, 7);
    await areFollowed(8 * projections.length);
    await bench.expectConverged();
  });
});

describe('read models', () => {
  const fates = fc.array(fc.record({ copies: fc.nat(2), delay: fc.nat(6) }), { minLength: 1, maxLength: 30 });

  test('converge to the straight fold of the log under any broker, over restarts and failing commits', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomHistory(),
        fates,
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(60), { maxLength: 4 }),
        fc.nat(4),
        async (happenings, fate, sizes, failing, restartAt) => {
          const bench = new Bench();
          let turn = 0;
          const chaos = chaoticBroker(bench.broker, () => fate[turn++ % fate.length]!);
          let commits = 0;
          bench.before = () => {
            commits += 1;
            if (failing.includes(commits)) return Promise.reject(new Unavailable('read store', 'Gone.'));
            return Promise.resolve([]);
          };
          let projector = startProjector(projections, bench.dependencies());
          for (let start = 0, part = 0; start < happenings.length; part += 1) {
            const size = sizes[part % sizes.length]!;
            await bench.append(happenings.slice(start, start + size));
            await bench.relay(chaos);
            start += size;
            if (part !== restartAt) continue;
            await projector.stop();
            projector = startProjector(projections, bench.dependencies());
          }
          await bench.applied();
          await projector.stop();
          await bench.expectConverged();
          await bench.end();
        },
      ),
      { numRuns: runs(20, 200) },
    );
  });
});
