import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { ReadModelBehind } from '@waybill/shared-kernel/errors.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { atVersion } from '@waybill/projections/rebuild/versions.js';
import { WriteWatch } from './wait-for-write.js';
import { at } from '@waybill/shared-kernel/testing/at.js';

const write = { stream: 'order-o1', revision: 0, position: 7, partitionKey: 'o1' };
const partition = partitionOf('o1');

describe('waiting for a write', () => {
  const live = () => Promise.resolve(version);
  let version = orders;
  const clock = virtualClock('2026-03-01T12:00:00Z');
  const timer = manualTimer();
  let readStore: ReadStore;
  let watch: WriteWatch;
  let looks = 0;
  beforeEach(async () => {
    version = orders;
    readStore = openSqliteReadStore(':memory:');
    await readStore.declare(orders.collection);
    looks = 0;
    const position: ReadStore['position'] = (...asked) => {
      looks += 1;
      return readStore.position(...asked);
    };
    watch = new WriteWatch(live, { readStore: { position }, clock, timer });
  });
  afterEach(() => readStore.close());

  const reach = (position: number) =>
    readStore.commit({ collection: orders.collection, partition, writes: [], position: at(position) });

  test('ends at once where the projection has passed it, or ignores its stream', async () => {
    await reach(7);
    await watch.shown(write, 2000);
    const foreign = { stream: 'product-p1', revision: 0, position: 99, partitionKey: 'p1' };
    await watch.shown(foreign, 2000);
    await watch.shown({ ...foreign, stream: 'nothing' }, 2000);
  });

  test('ends when the partition of the write has passed it, whatever others do', async () => {
    await readStore.commit({
      collection: orders.collection,
      partition: (partition + 1) % 8,
      writes: [],
      position: at(99),
    });
    let isVisible = false;
    const waiting = watch.shown(write, 2000).then(() => {
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
    const next = atVersion(orders, 3);
    await readStore.declare(next.collection);
    await readStore.commit({ collection: next.collection, partition, writes: [], position: at(7) });
    const waiting = watch.shown(write, 2000);
    await until(() => timer.waits.length === 1);
    version = next;
    timer.elapse();
    expect(await waiting).toBe(next);
  });

  test('gives up when patience ends, after a last look', async () => {
    const behind = watch.shown(write, 1);
    await until(() => timer.waits.length === 1);
    expect(timer.waits).toEqual([1]);
    clock.advance(1);
    timer.elapse();
    await expect(behind).rejects.toBeInstanceOf(ReadModelBehind);
    const seen = watch.shown(write, 1);
    await until(() => timer.waits.length === 1);
    clock.advance(1);
    await reach(7);
    timer.elapse();
    await seen;
  });

  test('does not wait with no patience', async () => {
    const behind = watch.shown(write, 0);
    await expect(behind).rejects.toBeInstanceOf(ReadModelBehind);
  });

  test('of a thousand who wait, one looks for all: each look is one, and each has its answer and its own end', async () => {
    const future = Array.from({ length: 1_000 }, () => watch.shown({ ...write, position: 1_000_000 }, 2_000));
    const patient = Promise.all(future.map((one) => one.catch((error: unknown) => error)));
    const seen = watch.shown(write, 10_000);
    await until(() => timer.waits.length === 1);
    // That of the first, and one for all who came while it looked.
    expect(looks).toBe(2);
    for (let turn = 3; turn <= 50; turn += 1) {
      timer.elapse();
      await until(() => timer.waits.length === 1);
      expect(looks).toBe(turn);
    }
    await reach(7);
    timer.elapse();
    await seen;
    clock.advance(2_000);
    timer.elapse();
    for (const end of await patient) expect(end).toBeInstanceOf(ReadModelBehind);
    expect([looks, timer.waits]).toEqual([52, []]);
  });

  test('who comes while another waits is looked for at once, and so is all after a commit, if that is heard of', async () => {
    const wakes: (() => void)[] = [];
    const listen = (of: number, wake: () => void) => {
      expect(of).toBe(partition);
      wakes.push(wake);
      return () => void wakes.splice(wakes.indexOf(wake), 1);
    };
    const woken = new WriteWatch(live, { readStore, clock, timer, commitSignal: { listen } });
    const first = woken.shown({ ...write, position: 8 }, 2_000);
    await until(() => timer.waits.length === 1);
    await reach(7);
    await woken.shown(write, 2_000);
    await reach(8);
    expect(wakes).toHaveLength(1);
    for (const wake of wakes) wake();
    await first;
    await until(() => wakes.length === 0);
    expect(timer.waits).toEqual([]);
  });

  test('each partition is looked at on its own', async () => {
    const other = ['a', 'b', 'c', 'd'].map((one) => `o-${one}`).find((one) => partitionOf(one) !== partition)!;
    const [first, second] = [watch.shown(write, 2_000), watch.shown({ ...write, partitionKey: other }, 2_000)];
    await until(() => timer.waits.length === 2);
    expect(looks).toBe(2);
    await reach(7);
    timer.elapse();
    await first;
    clock.advance(2_000);
    timer.elapse();
    await expect(second).rejects.toBeInstanceOf(ReadModelBehind);
  });

  test('a look that fails is told to all who wait, and the next who comes is looked for again', async () => {
    const waiting = [write, write].map((one) => watch.shown(one, 2_000).catch((error: unknown) => error));
    await until(() => timer.waits.length === 1);
    await readStore.close();
    timer.elapse();
    const [one, another] = await Promise.all(waiting);
    expect(one).toHaveProperty('message');
    expect(another).toBe(one);
    readStore = openSqliteReadStore(':memory:');
    await readStore.declare(orders.collection);
    await reach(7);
    await watch.shown(write, 2_000);
  });
});
