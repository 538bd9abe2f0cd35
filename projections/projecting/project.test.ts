import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { orders } from '../read-models/orders.js';
import { PartitionProjector, type ProjectionDependencies } from './project.js';
import { completed, confirmed, pickedUp, placed, positionAt, scheduled } from '../testing/history.js';
import { appendAll, documentsOf, straightFold } from '../testing/logs.js';
import { OrdersBench } from '../testing/orders-bench.js';
import { randomHistory } from '../testing/random-history.js';
import { at } from '@waybill/shared-kernel/testing/at.js';

const partition = partitionOf('o1');

class Bench extends OrdersBench {
  readonly counts = { load: 0, commit: 0, writes: 0, readStream: 0 };
  /** Runs before a commit. */
  before: () => Promise<void> | void = () => undefined;
  /** Runs after a commit whose answer may then be lost. */
  after: () => void = () => undefined;

  readonly dependencies: ProjectionDependencies = {
    clock: this.clock,
    store: {
      readStream: (stream, from, limit) => {
        this.counts.readStream += 1;
        return this.log.readStream(stream, from, limit);
      },
      cutOf: (stream) => this.log.cutOf(stream),
    },
    readStore: {
      load: (collection, keys) => {
        this.counts.load += 1;
        return this.readStore.load(collection, keys);
      },
      commit: async (batch) => {
        await this.before();
        this.counts.commit += 1;
        this.counts.writes += batch.writes.length;
        const conflicts = await this.readStore.commit(batch);
        this.after();
        return conflicts;
      },
    },
  };

  projector(remembered?: number): PartitionProjector {
    return new PartitionProjector(orders, partition, this.dependencies, remembered);
  }

  async expectConverged(): Promise<void> {
    expect(await documentsOf(this.readStore, orders)).toEqual(await straightFold(this.log, orders));
  }
}

const life = [placed('o1'), confirmed('o1'), scheduled('o1'), pickedUp('o1'), completed('o1')];

describe('a projector', () => {
  let bench: Bench;
  let events: readonly RecordedEvent[];
  beforeEach(async () => {
    bench = await Bench.open(life);
    events = await bench.events();
  });
  afterEach(() => bench.end());

  test('writes each document once a batch, with the position and the time', async () => {
    await bench.projector().apply(events, at(77));
    expect(bench.counts).toMatchObject({ load: 0, commit: 1, writes: 1 });
    expect(await bench.readStore.position(orders.collection, partition)).toEqual(at(77));
    const [document] = await bench.readStore.load(orders.collection, ['o1']);
    expect(document).toMatchObject({
      key: 'o1',
      partition,
      projectedAt: '2026-03-01T12:00:00.000Z',
      revisions: { order: 1, delivery: 2 },
    });
    await bench.expectConverged();
  });

  test('only moves the position for events that it knows', async () => {
    const projector = bench.projector();
    await projector.apply(events, at(5));
    await projector.apply(events, at(6));
    expect(bench.counts.writes).toBe(1);
    expect(await bench.readStore.position(orders.collection, partition)).toEqual(at(6));
    await bench.expectConverged();
  });

  test('reads what it remembers from memory, and what it does not in one load', async () => {
    const projector = bench.projector();
    await projector.apply(events.slice(0, 2), at(2));
    await projector.apply(events.slice(2), at(5));
    expect(bench.counts.load).toBe(0);
    const forgetful = bench.projector(0);
    await forgetful.apply(events.slice(2, 3), at(5));
    expect(bench.counts.load).toBe(1);
    await forgetful.apply(events.slice(3), at(5));
    expect(bench.counts.load).toBe(2);
  });

  test('reads what is missing of a stream from the log', async () => {
    await bench.projector().apply([events[0]!, events.at(-1)!], at(5));
    expect(bench.counts.readStream).toBe(1);
    const [document] = await bench.readStore.load(orders.collection, ['o1']);
    expect(document?.revisions).toEqual({ order: 0, delivery: 2 });
    await bench.projector().apply(events, at(5));
    await bench.expectConverged();
  });

  test('folds again what another projector wrote meanwhile', async () => {
    const [one, other] = [bench.projector(), bench.projector()];
    await one.apply(events.slice(0, 1), at(1));
    await other.apply(events.slice(0, 3), at(3));
    await one.apply(events.slice(1, 4), at(4));
    await other.apply(events.slice(3), at(5));
    await bench.expectConverged();
    expect(await bench.readStore.position(orders.collection, partition)).toEqual(at(5));
  });

  test('takes a document for new only until the store says otherwise', async () => {
    await bench.projector().apply(events, at(5));
    await bench.projector().apply(events, at(6));
    await bench.expectConverged();
    expect(await bench.readStore.position(orders.collection, partition)).toEqual(at(6));
  });

  test('gives up when others keep winning, and says so', async () => {
    const projector = bench.projector();
    await projector.apply(events.slice(0, 1), at(1));
    let round = 0;
    const extra = Array.from({ length: 20 }, (_, minute) =>
      positionAt('o1', minute, `2026-03-01T13:${String(minute).padStart(2, '0')}:00.000Z`),
    );
    await appendAll(bench.log, extra);
    const all = await bench.events();
    const rival = new PartitionProjector(orders, partition, { ...bench.dependencies, readStore: bench.readStore });
    bench.before = async () => {
      round += 1;
      await rival.apply(all.slice(0, 5 + round), at(1));
    };
    await expect(projector.apply(all, at(all.length))).rejects.toBeInstanceOf(Unavailable);
    bench.before = () => undefined;
    await projector.apply(all, at(all.length));
    await bench.expectConverged();
  });

  test('remembers nothing of a batch that failed, and the same batch may come again', async () => {
    const projector = bench.projector();
    await projector.apply(events.slice(0, 1), at(1));
    for (const when of ['before', 'after'] as const) {
      bench[when] = () => {
        bench[when] = () => undefined;
        throw new Unavailable('read store', 'Gone.');
      };
      await expect(projector.apply(events.slice(1), at(5))).rejects.toBeInstanceOf(Unavailable);
      await projector.apply(events.slice(1), at(5));
      await bench.expectConverged();
    }
  });

  test('keeps no more documents than it was told', async () => {
    const many = await Bench.open(Array.from({ length: 50 }, (_, index) => placed(`order${index}`)));
    const projector = many.projector(10);
    await projector.apply(await many.events(), at(50));
    await appendAll(
      many.log,
      Array.from({ length: 50 }, (_, index) => confirmed(`order${index}`)),
    );
    const later = (await many.events()).slice(50);
    await projector.apply(later.slice(-10), at(60));
    expect(many.counts.load).toBe(0);
    await projector.apply(later.slice(0, 40), at(100));
    expect(many.counts.load).toBe(1);
    await many.expectConverged();
    await many.end();
  });
});

describe('documents', () => {
  /** How events are cut into batches, which of them come again later, and after which batches it starts anew. */
  const delivery = fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
    again: fc.array(fc.nat(1000), { maxLength: 5 }),
    restarts: fc.array(fc.nat(9), { maxLength: 4 }),
    remembered: fc.constantFrom(0, 1, 1000),
  });

  test('are the straight fold of their streams, whatever the batches, repeats, restarts and memory', async () => {
    await fc.assert(
      fc.asyncProperty(randomHistory(), delivery, async (happenings, { sizes, again, restarts, remembered }) => {
        const bench = await Bench.open(happenings);
        const events = await bench.events();
        let projector = bench.projector(remembered);
        for (let start = 0, turn = 0; start < events.length; turn += 1) {
          const end = start + sizes[turn % sizes.length]!;
          const repeated = again.map((pick) => events[pick % events.length]!).filter((event) => event.position <= end);
          await projector.apply([...repeated, ...events.slice(start, end)], at(end));
          if (restarts.includes(turn)) projector = bench.projector(remembered);
          start = end;
        }
        await bench.expectConverged();
        await bench.end();
      }),
      { numRuns: runs(30, 300) },
    );
  });

  test('are the same from two projectors of one partition at once', async () => {
    await fc.assert(
      fc.asyncProperty(randomHistory(), fc.nat(9), fc.nat(9), async (happenings, size, otherSize) => {
        const bench = await Bench.open(happenings);
        const events = await bench.events();
        await Promise.all(
          [size + 1, otherSize + 1].map(async (batch) => {
            const projector = bench.projector();
            for (let start = 0; start < events.length; start += batch) {
              await projector.apply(events.slice(start, start + batch), at(start + batch));
            }
          }),
        );
        await bench.expectConverged();
        await bench.end();
      }),
      { numRuns: runs(15, 150) },
    );
  });
});
