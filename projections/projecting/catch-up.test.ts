import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { openEventStoreDb } from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { StandInServer } from '@waybill/infra/event-store/eventstoredb/testing/stand-in-server.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { EventFromTheFuture, LogMismatch, Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { projections } from '../read-models/projections.js';
import { catchUp, type CatchUpDependencies } from './catch-up.js';
import { deliveries } from '../read-models/deliveries.js';
import { orders } from '../read-models/orders.js';
import { confirmed, onOrder, placed, scheduled, type Happening } from '../testing/history.js';
import { appendAll, documentsOf, straightFold } from '../testing/logs.js';
import { randomHistory } from '../testing/random-history.js';

const clock = virtualClock('2026-03-01T12:00:00Z');

describe('catching up from the log', () => {
  let log: MemoryEventStore;
  let readStore: ReadStore;
  function open(): void {
    log = new MemoryEventStore(clock);
    readStore = openSqliteReadStore(':memory:');
  }
  async function close(): Promise<void> {
    await log.close();
    await readStore.close();
  }
  beforeEach(open);
  afterEach(close);

  async function expectConverged(): Promise<void> {
    for (const projection of projections) {
      expect(await documentsOf(readStore, projection)).toEqual(await straightFold(log, projection));
    }
  }

  test('makes every document and moves every partition to the end of the log', async () => {
    await appendAll(log, [placed('o1'), placed('o2'), scheduled('o1'), confirmed('o2')]);
    const progress: [number, number][] = [];
    const dependencies = { store: log, readStore, clock };
    const caughtUp = await catchUp(projections, dependencies, { progress: (...at) => progress.push(at) });
    expect(caughtUp).toEqual({ position: 4, events: 4, halted: [] });
    expect(progress).toEqual([[4, 4]]);
    for (const { collection } of projections) {
      const positions = await readStore.positions(collection);
      expect(positions.map(({ through }) => through)).toEqual(Array<number>(8).fill(4));
    }
    await expectConverged();
  });

  test('does nothing on an empty log', async () => {
    expect(await catchUp(projections, { store: log, readStore, clock })).toEqual({
      position: 0,
      events: 0,
      halted: [],
    });
  });

  test('reads only what came since, from where the one furthest behind stands', async () => {
    const dependencies = { store: log, readStore, clock };
    await appendAll(log, [scheduled('o1'), placed('o1')]);
    await catchUp([orders], dependencies);
    await appendAll(log, [confirmed('o1')]);
    expect(await catchUp([orders], dependencies)).toMatchObject({ position: 3, events: 1 });
    const loaded: string[] = [];
    const written: string[] = [];
    const watched: CatchUpDependencies['readStore'] = {
      declare: (collection) => readStore.declare(collection),
      load: (collection, keys) => {
        loaded.push(collection.name);
        return readStore.load(collection, keys);
      },
      positions: (collection) => readStore.positions(collection),
      commit: (batch) => {
        if (batch.writes.length > 0) written.push(batch.collection.name);
        return readStore.commit(batch);
      },
    };
    expect(await catchUp(projections, { ...dependencies, readStore: watched })).toMatchObject({
      position: 3,
      events: 3,
    });
    expect(written).toEqual(['deliveries']);
    expect(loaded).toEqual([]);
    await expectConverged();
  });

  test('takes many pages and more documents than it holds in memory', async () => {
    const ids = Array.from({ length: 20_000 }, (_, index) => `order-${index}`);
    const mine = ids.filter((id) => partitionOf(id) === 0);
    await appendAll(
      log,
      mine.map((id) => placed(id)),
    );
    await appendAll(
      log,
      mine.map((id) => confirmed(id)),
    );
    await catchUp(projections, { store: log, readStore, clock });
    await expectConverged();
  });

  test('goes on from what was written when the store failed in between', async () => {
    await fc.assert(
      fc.asyncProperty(randomHistory(), fc.integer({ min: 1, max: 32 }), async (happenings, failing) => {
        await appendAll(log, happenings);
        let commits = 0;
        const faulty: CatchUpDependencies['readStore'] = {
          declare: (collection) => readStore.declare(collection),
          load: (collection, keys) => readStore.load(collection, keys),
          positions: (collection) => readStore.positions(collection),
          commit: (batch) => {
            commits += 1;
            if (commits === failing) throw new Unavailable('read store', 'Gone.');
            return readStore.commit(batch);
          },
        };
        await expect(catchUp(projections, { store: log, readStore: faulty, clock })).rejects.toThrow('Gone.');
        await catchUp(projections, { store: log, readStore: faulty, clock });
        await expectConverged();
        await close();
        open();
      }),
      { numRuns: runs(15, 200) },
    );
  });

  test('writes what it was shown of a log that does not show its end, and does not take that for all', async () => {
    await appendAll(log, [placed('o1'), placed('o2'), confirmed('o1')]);
    const blind: CatchUpDependencies['store'] = {
      head: () => log.head(),
      recordAt: (position) => log.recordAt(position),
      readStream: (...asked) => log.readStream(...asked),
      cutOf: (stream) => log.cutOf(stream),
      readAll: async (after) => ({ ...(await log.readAll(after, Math.max(0, 2 - after))), isEnd: true }),
    };
    await expect(catchUp([orders], { store: blind, readStore, clock })).rejects.toThrow('does not show position 3 yet');
    expect(await readStore.count(orders.collection)).toBe(2);
    const progress: number[] = [];
    await catchUp([orders], { store: log, readStore, clock }, { progress: (position) => progress.push(position) });
    expect(progress).toEqual([3]);
    expect((await readStore.positions(orders.collection)).map(({ through }) => through)).toEqual(
      Array<number>(8).fill(3),
    );
  });

  test('halts the partition of an event from the future before it, and goes on with the others', async () => {
    const from: Happening = onOrder('o1', { type: 'OrderConfirmed', data: { orderId: 'o1' } });
    const future: Happening = { ...from, event: { ...from.event, schemaVersion: 9 } };
    await appendAll(log, [placed('o1'), future, scheduled('o1'), placed('o2')]);
    const { halted, position } = await catchUp(projections, { store: log, readStore, clock });
    const partition = partitionOf('o1');
    expect(position).toBe(4);
    expect(halted).toEqual([
      { projection: 'orders', version: 2, partition, position: 1, error: expect.any(EventFromTheFuture) },
    ]);
    expect((await readStore.positions(orders.collection))[partition]!.through).toBe(1);
    expect((await readStore.positions(orders.collection))[partitionOf('o2')]!.through).toBe(4);
    expect((await documentsOf(readStore, orders)).map(({ key, revisions }) => [key, revisions])).toEqual([
      ['o1', { order: 0 }],
      ['o2', { order: 0 }],
    ]);
    expect(await documentsOf(readStore, deliveries)).toHaveLength(1);
  });

  test('halts what is not of this log, in all its partitions, and goes on with the others', async () => {
    await appendAll(log, [placed('o1'), scheduled('o1'), placed('o2')]);
    await readStore.declare(orders.collection);
    const position = { through: 50, anchors: [[50, 'lost']] } as const;
    await readStore.commit({ collection: orders.collection, partition: 0, writes: [], position });
    const { halted } = await catchUp(projections, { store: log, readStore, clock });
    expect(halted).toEqual(
      Array.from({ length: 8 }, (_, partition) => {
        return { projection: 'orders', version: 2, partition, position: 0, error: expect.any(LogMismatch) };
      }),
    );
    expect(await documentsOf(readStore, orders)).toEqual([]);
    expect((await readStore.positions(orders.collection)).map(({ through }) => through)).toEqual([
      50,
      ...Array<number>(7).fill(0),
    ]);
    expect(await documentsOf(readStore, deliveries)).toEqual(await straightFold(log, deliveries));
  });

  test('halts at the position of an event, also in a log whose positions have gaps', async () => {
    const server = await StandInServer.listen();
    const gapped = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
    const from: Happening = onOrder('o1', { type: 'OrderConfirmed', data: { orderId: 'o1' } });
    const future: Happening = { ...from, event: { ...from.event, schemaVersion: 9 } };
    await appendAll(gapped, [placed('o1'), placed('o2'), future]);
    const { halted } = await catchUp(projections, { store: gapped, readStore, clock });
    const [, second] = (await gapped.readAll(0, 10)).events;
    expect(halted).toMatchObject([{ projection: 'orders', position: second?.position }]);
    await gapped.close();
    server.kill();
  });

  test('ends early when told to, with what it read written', async () => {
    await appendAll(
      log,
      Array.from({ length: 1500 }, (_, index) => placed(`o${index}`)),
    );
    const stop = new AbortController();
    const dependencies = { store: log, readStore, clock };
    const early = await catchUp(projections, dependencies, { signal: stop.signal, progress: () => stop.abort() });
    expect(early).toMatchObject({ position: 1000, events: 1000 });
    expect(await readStore.count(orders.collection)).toBe(1000);
    expect(await catchUp(projections, dependencies)).toMatchObject({ position: 1500, events: 500 });
    await expectConverged();
  });
});
