/** FNV-1a, 32 bits, over UTF-16 code units: 0 to 2³² − 1. Partitions are cut by it, so it is a storage format. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
