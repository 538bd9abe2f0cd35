import type { LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { categoryNameOf } from '@waybill/shared-kernel/stream.js';

/** The events that a projection folds. */
export function takenBy(
  { categories }: Pick<Projection, 'categories'>,
  events: readonly RecordedEvent[],
): readonly RecordedEvent[] {
  const taken: ReadonlySet<string> = new Set(categories);
  return events.filter(({ stream }) => taken.has(categoryNameOf(stream)));
}

/** `positions`: of a collection, by partition. */
export function isPassed({ position, partitionKey }: RecordedEvent, positions: readonly LogPosition[]): boolean {
  return position <= positions[partitionOf(partitionKey)]!.through;
}
