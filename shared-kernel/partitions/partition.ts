import { fnv1a } from '../fnv1a.js';

/** How many partitions the log is cut into. A storage format: changing it means new queues and new checkpoints. */
export const partitionCount = 8;

/** The partition of a partition key: FNV-1a, 0 to `partitionCount` − 1. */
export function partitionOf(partitionKey: string): number {
  return fnv1a(partitionKey) % partitionCount;
}
