import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { PartitionWork, WorkOnPartition } from '@waybill/shared-kernel/partitions/assignment.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { orders } from '../read-models/orders.js';
import { hastyTuning, Kept } from '../rebuild/testing/kept.js';
import { watchedReadStore } from '../rebuild/testing/watched-read-store.js';
import { placed } from '../testing/history.js';

let kept: Kept;
beforeEach(async () => {
  kept = new Kept();
  await kept.happen(placed('o1'));
  await kept.keep([orders]).following;
  await kept.request(orders);
  expect(await kept.ended(orders)).toMatchObject({ live: 3, previous: 2 });
  await kept.stopKeeping();
});
afterEach(() => kept.close());

test('a partition that is given away and taken back loses again the queue of a version that nobody follows', async () => {
  const removed: string[] = [];
  const held = new Set<number>();
  let looks = 0;
  let work: WorkOnPartition | undefined;
  const readStore = watchedReadStore(kept.open(), (name) => {
    if (name === 'versions') looks += 1;
  });
  kept.keep(
    [orders],
    {
      ...kept.dependencies(readStore),
      broker: {
        ...kept.broker,
        remove: async ({ consumer, partition }) => void removed.push(`${consumer}/${partition}`),
      },
      assign: (_, begin) => {
        work = begin;
        return { held: () => [...held], stop: () => Promise.resolve() };
      },
    },
    hastyTuning,
  );
  const works: PartitionWork[] = [];
  const take = (partition: number): void => {
    works[partition] = work!(partition);
    held.add(partition);
  };
  const several = async (): Promise<void> => {
    const seen = looks;
    await until(() => looks > seen + 5);
  };
  take(3);
  take(4);
  await until(() => removed.length === 4);
  await several();
  expect(removed).toEqual(['orders.v1/3', 'orders.v2/3', 'orders.v1/4', 'orders.v2/4']);
  await works[4]!.stop();
  held.delete(4);
  await several();
  take(4);
  await several();
  expect(removed.slice(4)).toEqual(['orders.v1/4', 'orders.v2/4']);
  await Promise.all([works[3]!.stop(), works[4]!.stop()]);
});
