import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { linkChain } from '@waybill/shared-kernel/link-chain.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { documentFreshness, lagGauge, listFreshness, type LagGauge } from './freshness.js';
import { orders } from './orders.js';
import { takenBy } from './testing/applied.js';
import { listed, placed } from './testing/history.js';
import { appendAll } from './testing/logs.js';

const one = partitionOf('o1');
const none = Array<number>(partitionCount).fill(0);

describe('the lag of a collection', () => {
  let clock: VirtualClock;
  let log: MemoryEventStore;
  let readStore: ReadStore;
  let gauge: LagGauge;
  let reads: number;
  let isDown: boolean;

  async function open(): Promise<void> {
    clock = virtualClock('2026-03-01T12:00:00Z');
    log = new MemoryEventStore(clock);
    readStore = openSqliteReadStore(':memory:');
    await readStore.declare(orders.collection);
    reads = 0;
    isDown = false;
    const store = {
      head: () => (isDown ? Promise.reject(new Unavailable('event store', 'Down.')) : log.head()),
      readAll: (after: number, limit: number) => {
        reads += 1;
        return log.readAll(after, limit);
      },
    };
    gauge = lagGauge(orders, { store, readStore, clock });
  }
  async function close(): Promise<void> {
    await log.close();
    await readStore.close();
  }
  beforeEach(open);
  afterEach(close);

  const reach = (partition: number, position: number) =>
    readStore.commit({ collection: orders.collection, partition, writes: [], position });

  test('is nothing on an empty log', async () => {
    expect(await gauge.lags()).toEqual(none);
  });

  test('is the age of the oldest event of the partition that is not projected, and grows', async () => {
    await appendAll(log, [placed('o1')]);
    clock.advance(100);
    expect(await gauge.lags()).toEqual(none.with(one, 100));
    await appendAll(log, [placed('o1-later')]);
    clock.advance(50);
    expect((await gauge.lags())[one]).toBe(150);
    await reach(one, 1);
    expect((await gauge.lags())[one]).toBe(0);
  });

  test('is nothing while only events came that the read model does not fold', async () => {
    await appendAll(log, [listed('tea')]);
    clock.advance(100);
    expect(await gauge.lags()).toEqual(none);
  });

  test('passes at once what the relay has met without an event for the read model', async () => {
    await appendAll(
      log,
      Array.from({ length: 1_000 }, (_, index) => listed(`tea-${index}`)),
    );
    await readStore.saveRelayCheckpoint(
      linkChain(await log.readAll(0, 1_000), { position: 0, heads: {} }, 'l').reached,
    );
    await appendAll(log, [placed('o1')]);
    clock.advance(100);
    expect(await gauge.lags()).toEqual(none.with(one, 100));
    expect(reads).toBeLessThan(5);
  });

  test('looks at the log only when something changed', async () => {
    await appendAll(log, [placed('o1'), placed('o2')]);
    await gauge.lags();
    const before = reads;
    clock.advance(10);
    expect((await gauge.lags())[one]).toBe(10);
    expect(reads).toBe(before);
    await appendAll(log, [placed('o3')]);
    await gauge.lags();
    expect(reads).toBeGreaterThan(before);
  });

  test('is what may be while the event store is down, and what is when it is back', async () => {
    await appendAll(log, [placed('o1')]);
    clock.advance(100);
    await gauge.lags();
    isDown = true;
    clock.advance(50);
    expect(await gauge.lags()).toEqual(none.with(one, 150).map((lag) => lag || 50));
    await reach(one, 1);
    clock.advance(1_000);
    expect(await gauge.lags()).toEqual(none.with(one, 1_150).map((lag) => lag || 1_050));
    isDown = false;
    await until(async () => {
      clock.advance(1_000);
      return (await gauge.lags()).every((lag) => lag === 0);
    });
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
          clock.advance(7);
          const head = await log.head();
          for (const { partition, share } of projected) await reach(partition, Math.floor((head * share) / 100));
          const positions = await readStore.positions(orders.collection);
          const events = await log.readAll(0, 1000);
          const expected = positions.map((position, partition) => {
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
    clock.advance(5);
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
