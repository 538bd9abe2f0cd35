/** Into so many parts keys are divided where they do not all fit into memory. */
export const bucketCount = 256;

/** The part of a key, 0 to `bucketCount` − 1. */
export function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return ((hash ^ (hash >>> 16)) >>> 0) % bucketCount;
}
