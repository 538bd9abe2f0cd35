/** How many partitions the log is cut into. A storage format: changing it means new queues and new checkpoints. */
export const partitionCount = 8;

/** The partition of a partition key: FNV-1a over its UTF-16 code units, 0 to `partitionCount` − 1. */
export function partitionOf(partitionKey: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < partitionKey.length; index += 1) {
    hash = Math.imul(hash ^ partitionKey.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % partitionCount;
}
