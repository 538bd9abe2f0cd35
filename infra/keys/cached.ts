import { LRUCache } from 'lru-cache';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';

export interface CacheBounds {
  /** Keys held at most. */
  readonly maxKeys: number;
  /** How long a key that another process destroyed may still be used here, milliseconds. */
  readonly ttlMs: number;
  readonly clock: Clock;
}

/**
 * Keeps the keys that were used lately at hand, for as long as the bounds allow and no longer than until they are
 * destroyed here. That there is no key is asked anew each time.
 */
export function cachedKeys(store: KeyStore, { maxKeys, ttlMs, clock }: CacheBounds): KeyStore {
  const cache = new LRUCache<string, Uint8Array>({ max: maxKeys, ttl: ttlMs, ttlResolution: 0, perf: clock });
  /** Rises with each destruction: what was read before one may be the key that it destroyed. */
  let destructions = 0;

  async function through(
    subject: string,
    read: (subject: string) => Promise<Uint8Array | undefined>,
  ): Promise<Uint8Array | undefined> {
    const present = cache.get(subject);
    if (present !== undefined) return present;
    const before = destructions;
    const key = await read(subject);
    if (key !== undefined && before === destructions) cache.set(subject, key);
    return key;
  }

  return {
    find: (subject) => through(subject, (wanted) => store.find(wanted)),
    create: (subject) => through(subject, (wanted) => store.create(wanted)),
    destroy: async (subject) => {
      destructions += 1;
      cache.delete(subject);
      await store.destroy(subject);
      destructions += 1;
      cache.delete(subject);
    },
    close: async () => {
      cache.clear();
      await store.close();
    },
  };
}
