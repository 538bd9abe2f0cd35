import { beginning } from './ports/event-store.js';
import type { RelayCheckpoint } from './ports/read-store.js';

/**
 * Category → position of its last event in one partition, as far as somebody looked; one that is not there has none.
 * By the name's text, so that a relay keeps count of categories which only a newer program knows.
 */
export type CategoryHeads = Readonly<Record<string, number>>;

/** Position of the last event of any of the categories, `beginning` if there is none. */
export function headOf(heads: CategoryHeads | undefined, categories: readonly string[]): number {
  let head = beginning;
  if (heads === undefined) return head;
  for (const category of categories) head = Math.max(head, heads[category] ?? beginning);
  return head;
}

/**
 * How far a partition is done by whoever has done all events of the categories up to `position`: further than that,
 * where the relay has met none of them since.
 */
export function doneUpTo(
  position: number,
  partition: number,
  categories: readonly string[],
  { position: relayed, heads }: RelayCheckpoint,
): number {
  return position >= headOf(heads[partition], categories) ? Math.max(position, relayed) : position;
}

/**
 * A checkpoint as a store holds it. One of the shape before heads were kept by category counts for nothing: all is
 * published once more, and duplicates are silence.
 */
export function storedCheckpoint(position: number, heads: RelayCheckpoint['heads']): RelayCheckpoint {
  const isOlder = Object.values(heads).some((ofPartition) => 'recordedAt' in ofPartition);
  return isOlder ? { position: beginning, heads: {} } : { position, heads };
}
