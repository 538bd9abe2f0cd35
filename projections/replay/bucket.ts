import { fnv1a } from '@waybill/shared-kernel/fnv1a.js';

/** Into so many parts keys are divided where they do not all fit into memory. */
export const bucketCount = 256;

/** The part of a key, 0 to `bucketCount` − 1. */
export function bucketOf(key: string): number {
  const hash = fnv1a(key);
  return ((hash ^ (hash >>> 16)) >>> 0) % bucketCount;
}
