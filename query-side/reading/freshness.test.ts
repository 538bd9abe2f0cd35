import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { LogMismatch, Unavailable } from '@waybill/shared-kernel/errors.js';
import { after } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { documentFreshness, lagGauge, listFreshness, type LagGauge } from './freshness.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { takenBy } from '@waybill/projections/testing/applied.js';
import { listed, placed } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

const one = partitionOf('o1');
const none = Array<number>(partitionCount).fill(0);

describe('the lag of a collection', () => {
  let clock: VirtualClock;
  let steadyClock: VirtualClock;
  const pass = (milliseconds: number): void => {
    clock.advance(milliseconds);
    steadyClock.advance(milliseconds);
  };
  let log: MemoryEventStore;
  let readStore: ReadStore;
  let gauge: LagGauge;
  let reads: number;
  let isDown: boolean;
  /** What the log ends with and does not show yet: so many records. */
  let hidden: number;

  async function open(): Promise<void> {
    clock = virtualClock('2026-03-01T12:00:00Z');
    steadyClock = virtualClock(0);
    log = new MemoryEventStore(clock);
    readStore = openSqliteReadStore(':memory:');
    await readStore.declare(orders.collection);
    reads = 0;
    isDown = false;
    hidden = 0;
    const store = {
      head: () => (isDown ? Promise.reject(new Unavailable('event store', 'Down.')) : log.head()),
      readAll: async (after: number, limit: number) => {
        reads += 1;
        const shown = (await log.head()) - hidden;
        const page = await log.readAll(after, limit);
        if (page.through <= shown) return page;
        const events = page.events.filter(({ position }) => position <= shown);
        return { events, marks: [], through: shown, isEnd: true };
      },
      recordAt: (position: number) => log.recordAt(position),
    };
    gauge = lagGauge(orders, { store, readStore, clock, steadyClock });
  }
  async function close(): Promise<void> {
    await log.close();
    await readStore.close();
  }
  beforeEach(open);
  afterEach(close);

  const reach = (partition: number, position: number) =>
    readStore.commit({
      collection: orders.collection,
      partition,
      writes: [],
      position: { through: position, anchors: [] },
    });

  test('is nothing on an empty log', async () => {
    expect(await gauge.lags()).toEqual(none);
  });

  test('is the age of the oldest event of the partition that is not projected, and grows', async () => {
    await appendAll(log, [placed('o1')]);
    pass(100);
    expect(await gauge.lags()).toEqual(none.with(one, 100));
    await appendAll(log, [placed('o1-later')]);
    pass(50);
    expect((await gauge.lags())[one]).toBe(150);
    await reach(one, 1);
    expect((await gauge.lags())[one]).toBe(0);
  });

  describe('of one that was made from another log', () => {
    beforeEach(async () => {
      await appendAll(log, [placed('o1'), placed('o1-later')]);
      const [, last] = await wholeLog(log);
      await readStore.commit({ collection: orders.collection, partition: one, writes: [], position: after(last!) });
      await gauge.lags();
      await log.close();
      log = new MemoryEventStore(clock);
      await appendAll(log, [placed('o1')]);
    });

    test('is not told: at once where the log ends before it, and when it has grown', async () => {
      await expect(gauge.lags()).rejects.toThrow(LogMismatch);
      await expect(gauge.reach()).rejects.toThrow(LogMismatch);
      await appendAll(log, [placed('o1-other'), placed('o1-more')]);
      await expect(gauge.lags()).rejects.toThrow(LogMismatch);
    });

    test('is not told: after seconds where the log has another event in its place', async () => {
      await appendAll(log, [placed('o1-other'), placed('o1-more')]);
      pass(5_000);
      await expect(gauge.lags()).rejects.toThrow(LogMismatch);
    });
  });

  test('is measured anew where the log ends sooner than it did', async () => {
    await appendAll(log, [placed('o1'), listed('tea'), listed('salt')]);
    const [first] = await wholeLog(log);
    await readStore.commit({ collection: orders.collection, partition: one, writes: [], position: after(first!) });
    expect(await gauge.lags()).toEqual(none);
    const older = new MemoryEventStore(clock);
    await older.append(first!.stream, -1, [first!]);
    await log.close();
    log = older;
    expect(await gauge.lags()).toEqual(none);
    const { event, stream } = placed('o1');
    await log.append(stream, 0, [event]);
    pass(100);
    expect(await gauge.lags()).toEqual(none.with(one, 100));
  });

  test('is nothing while only events came that the read model does not fold', async () => {
    await appendAll(log, [listed('tea')]);
    pass(100);
    expect(await gauge.lags()).toEqual(none);
  });

  test('looks at more of the log at once where few events concern the read model', async () => {
    await appendAll(
      log,
      Array.from({ length: 1_000 }, (_, index) => listed(`tea-${index}`)),
    );
    await appendAll(log, [placed('o1')]);
    pass(100);
    expect(await gauge.lags()).toEqual(none.with(one, 100));
    expect(reads).toBeLessThan(5);
  });

  test('looks at the log only when something changed', async () => {
    await appendAll(log, [placed('o1'), placed('o2')]);
    await gauge.lags();
    const before = reads;
    pass(10);
    expect((await gauge.lags())[one]).toBe(10);
    expect(reads).toBe(before);
    await appendAll(log, [placed('o3')]);
    await gauge.lags();
    expect(reads).toBeGreaterThan(before);
  });

  test('grows where the wall clock is set back, and where it is behind the log', async () => {
    const hourMs = 3_600_000;
    await appendAll(log, [placed('o1')]);
    pass(100);
    expect((await gauge.lags())[one]).toBe(100);
    clock.advance(-hourMs);
    pass(100);
    expect((await gauge.lags())[one]).toBe(100);
    pass(2 * hourMs);
    expect((await gauge.lags())[one]).toBe(100 + 2 * hourMs);
  });

  test('is looked at, down or not, by how much time passes: whichever way the wall clock is set', async () => {
    await gauge.lags();
    isDown = true;
    await gauge.lags();
    clock.advance(-3_600_000);
    expect(Math.max(...(await gauge.lags()))).toBe(0);
    isDown = false;
    await appendAll(log, [placed('o1')]);
    await until(async () => {
      pass(1_000);
      return (await gauge.lags())[one]! > 0 && (await gauge.reach()) !== undefined;
    });
  });

  test('is what may be while the event store is down, and what is when it is back', async () => {
    await appendAll(log, [placed('o1')]);
    pass(100);
    await gauge.lags();
    isDown = true;
    pass(50);
    expect(await gauge.lags()).toEqual(none.with(one, 150).map((lag) => lag || 50));
    await reach(one, 1);
    pass(1_000);
    expect(await gauge.lags()).toEqual(none.with(one, 1_150).map((lag) => lag || 1_050));
    isDown = false;
    await until(async () => {
      pass(1_000);
      return (await gauge.lags()).every((lag) => lag === 0);
    });
  });

  test('is what may be while the log does not show what it ends with, and what is once it does', async () => {
    await gauge.lags();
    pass(100);
    await appendAll(log, [listed('tea'), placed('o1')]);
    hidden = 1;
    expect(await gauge.lags()).toEqual(none.map(() => 100));
    expect(await gauge.reach()).toBeUndefined();
    hidden = 0;
    pass(1_000);
    // Who asks first has the log looked at, and does not wait for it.
    await gauge.lags();
    await until(async () => (await gauge.reach()) !== undefined);
    expect(await gauge.lags()).toEqual(none.with(one, 1_000));
  });

  test('reaches, in positions of the log, as far as nothing is pending', async () => {
    const other = partitionOf('o2');
    const reached = (head: number) => Array<number>(partitionCount).fill(head);
    await appendAll(log, [placed('o1'), placed('o2')]);
    expect(await gauge.reach()).toEqual({ head: 2, projected: reached(2).with(other, 1).with(one, 0) });
    await reach(one, 1);
    expect(await gauge.reach()).toEqual({ head: 2, projected: reached(2).with(other, 1) });
    await reach(other, 2);
    expect(await gauge.reach()).toEqual({ head: 2, projected: reached(2) });
    isDown = true;
    expect(await gauge.reach()).toBeUndefined();
  });

  test('is not told while both are down, and the read store is to blame: whoever asks cannot read either', async () => {
    isDown = true;
    await readStore.close();
    await expect(gauge.lags()).rejects.not.toMatchObject({ what: 'event store' });
    readStore = openSqliteReadStore(':memory:');
  });

  test('is not told while the read store is down', async () => {
    await readStore.close();
    await expect(gauge.lags()).rejects.toThrow();
    readStore = openSqliteReadStore(':memory:');
  });

  test('is what the whole log says, whatever is projected in which order', async () => {
    const step = fc.record({
      id: fc.nat(20),
      projected: fc.array(fc.record({ partition: fc.nat(7), share: fc.nat(100) })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        await close();
        await open();
        for (const [index, { id, projected }] of steps.entries()) {
          await appendAll(log, [id % 3 === 0 ? listed(`tea-${index}`) : placed(`o${id}-${index}`)]);
          pass(7);
          const head = await log.head();
          for (const { partition, share } of projected) await reach(partition, Math.floor((head * share) / 100));
          const positions = await readStore.positions(orders.collection);
          const events = await wholeLog(log);
          const expected = positions.map(({ through: position }, partition) => {
            const oldest = takenBy(orders, events).find(
              (event) => event.position > position && partitionOf(event.partitionKey) === partition,
            );
            return oldest === undefined ? 0 : clock.now() - Date.parse(oldest.recordedAt);
          });
          expect(await gauge.lags()).toEqual(expected);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('is one answer for many who ask at once', async () => {
    await appendAll(log, [placed('o1')]);
    pass(5);
    const answers = await Promise.all(Array.from({ length: 10 }, () => gauge.lags()));
    for (const lags of answers) expect(lags).toEqual(none.with(one, 5));
    expect(reads).toBeLessThanOrEqual(1);
  });
});

test('an answer is as fresh as its documents and their partitions', () => {
  const document = (partition: number, projectedAt: string) => ({
    key: 'k',
    partition,
    revisions: {},
    sections: {},
    projectedAt,
  });
  const early = document(1, '2026-03-01T12:00:00.000Z');
  const late = document(2, '2026-03-01T12:00:01.000Z');
  const lags = none.with(1, 30).with(5, 40);
  expect(documentFreshness(early, lags)).toEqual({ projectedAt: early.projectedAt, lagMs: 30 });
  expect(documentFreshness(late, lags)).toEqual({ projectedAt: late.projectedAt, lagMs: 0 });
  expect(listFreshness([early, late], lags)).toEqual({ projectedAt: late.projectedAt, lagMs: 40 });
  expect(listFreshness([], none)).toEqual({ projectedAt: null, lagMs: 0 });
});
