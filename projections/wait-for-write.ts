import type { WritePoint } from '@waybill/shared-kernel/consistency-token.js';
import { ReadModelBehind } from '@waybill/shared-kernel/errors.js';
import { partitionOf } from '@waybill/shared-kernel/partition.js';
import type { Clock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import type { LiveVersion } from './live-version.js';

export interface WaitMeans {
  readonly readStore: Pick<ReadStore, 'position'>;
  readonly clock: Clock;
  readonly timer: Timer;
}

/** Milliseconds between two looks. */
const interval = 4;

/**
 * Resolves when the read model shows a write, with the version that does: when the write's partition has passed its
 * position there, or at once where the read model ignores the stream. Holds for lists too, which then show that write.
 * Rejects with `ReadModelBehind` after `patience` milliseconds.
 */
export async function waitForWrite(
  live: LiveVersion,
  write: WritePoint,
  patience: number,
  { readStore, clock, timer }: WaitMeans,
): Promise<Projection> {
  let projection = await live();
  const category = categoryOf(write.stream);
  if (category === undefined || !projection.categories.includes(category)) return projection;
  const partition = partitionOf(write.partitionKey);
  const deadline = clock.now() + patience;
  while ((await readStore.position(projection.collection, partition)) < write.position) {
    const left = deadline - clock.now();
    if (left <= 0) throw new ReadModelBehind('The write is not visible yet. Ask again.');
    await timer.sleep(Math.min(interval, left));
    projection = await live();
  }
  return projection;
}
