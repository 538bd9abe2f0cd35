import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { ReadModelBehind } from '@waybill/shared-kernel/errors.js';
import { partitionOf } from '@waybill/shared-kernel/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { orders } from './orders.js';
import { atVersion } from './rebuild/versions.js';
import { waitForWrite } from './wait-for-write.js';

const write = { stream: 'order-o1', revision: 0, position: 7, partitionKey: 'o1' };
const partition = partitionOf('o1');

describe('waiting for a write', () => {
  const live = () => Promise.resolve(version);
  let version = orders;
  const clock = virtualClock('2026-03-01T12:00:00Z');
  const timer = manualTimer();
  let readStore: ReadStore;
  beforeEach(async () => {
    version = orders;
    readStore = openSqliteReadStore(':memory:');
    await readStore.declare(orders.collection);
  });
  afterEach(() => readStore.close());

  const reach = (position: number) =>
    readStore.commit({ collection: orders.collection, partition, writes: [], position });

  test('ends at once where the projection has passed it, or ignores its stream', async () => {
    await reach(7);
    await waitForWrite(live, write, 2000, { readStore, clock, timer });
    const foreign = { stream: 'product-p1', revision: 0, position: 99, partitionKey: 'p1' };
    await waitForWrite(live, foreign, 2000, { readStore, clock, timer });
    await waitForWrite(live, { ...foreign, stream: 'nothing' }, 2000, { readStore, clock, timer });
  });

  test('ends when the partition of the write has passed it, whatever others do', async () => {
    await readStore.commit({
      collection: orders.collection,
      partition: (partition + 1) % 8,
      writes: [],
      position: 99,
    });
    let isVisible = false;
    const waiting = waitForWrite(live, write, 2000, { readStore, clock, timer }).then(() => {
      isVisible = true;
    });
    await until(() => timer.waits.length === 1);
    await reach(6);
    timer.elapse();
    await until(() => timer.waits.length === 1);
    expect(isVisible).toBe(false);
    await reach(8);
    timer.elapse();
    await waiting;
  });

  test('goes on in the version that is read since, and answers with it', async () => {
    const next = atVersion(orders, 2);
    await readStore.declare(next.collection);
    await readStore.commit({ collection: next.collection, partition, writes: [], position: 7 });
    const waiting = waitForWrite(live, write, 2000, { readStore, clock, timer });
    await until(() => timer.waits.length === 1);
    version = next;
    timer.elapse();
    expect(await waiting).toBe(next);
  });

  test('gives up when patience ends, after a last look', async () => {
    const behind = waitForWrite(live, write, 1, { readStore, clock, timer });
    await until(() => timer.waits.length === 1);
    expect(timer.waits).toEqual([1]);
    clock.advance(1);
    timer.elapse();
    await expect(behind).rejects.toBeInstanceOf(ReadModelBehind);
    const seen = waitForWrite(live, write, 1, { readStore, clock, timer });
    await until(() => timer.waits.length === 1);
    clock.advance(1);
    await reach(7);
    timer.elapse();
    await seen;
  });

  test('does not wait with no patience', async () => {
    const behind = waitForWrite(live, write, 0, { readStore, clock, timer });
    await expect(behind).rejects.toBeInstanceOf(ReadModelBehind);
  });
});
