import { LRUCache } from 'lru-cache';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';

export interface CacheBounds {
  /** Keys held at most. */
  readonly maxKeys: number;
  /** How long a key that another process destroyed may still be used here, milliseconds. */
  readonly ttlMs: number;
  /** The same while the store is not to be had, milliseconds. 0 unless given. */
  readonly outageMs?: number;
  /** A steady one. */
  readonly clock: SteadyClock;
}

/** Of a process: half a minute after an erasure, and while the store is down at most ten, a key is used no more. */
export const keyCacheBounds = { maxKeys: 10_000, ttlMs: 30_000, outageMs: 600_000 } as const;

/** After the store was not to be had it is left alone for so long where a key at hand will do, milliseconds. */
const leftAloneMs = 1_000;

interface Kept {
  readonly key: Uint8Array;
  readonly readAt: number;
}

/**
 * Keeps the keys that were used lately at hand, for as long as the bounds allow and no longer than until they are
 * destroyed here. That there is no key is asked anew each time.
 */
export function cachedKeys(store: KeyStore, { maxKeys, ttlMs, outageMs = 0, clock }: CacheBounds): KeyStore {
  const cache = new LRUCache<string, Kept>({
    max: maxKeys,
    ttl: Math.max(ttlMs, outageMs),
    ttlResolution: 0,
    perf: clock,
  });
  /** Rises with each destruction: what was read before one may be the key that it destroyed. */
  let destructions = 0;
  let downAt = -Infinity;

  async function through(
    subject: string,
    read: (subject: string) => Promise<Uint8Array | undefined>,
  ): Promise<Uint8Array | undefined> {
    const kept = cache.get(subject);
    const now = clock.now();
    if (kept !== undefined && (now - kept.readAt < ttlMs || now - downAt < leftAloneMs)) return kept.key;
    const before = destructions;
    try {
      const key = await read(subject);
      if (before === destructions) {
        if (key === undefined) cache.delete(subject);
        else cache.set(subject, { key, readAt: clock.now() });
      }
      return key;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      downAt = clock.now();
      const still = cache.get(subject);
      if (still === undefined) throw error;
      return still.key;
    }
  }

  return {
    find: (subject) => through(subject, (wanted) => store.find(wanted)),
    create: (subject) => through(subject, (wanted) => store.create(wanted)),
    destroy: async (subject) => {
      destructions += 1;
      cache.delete(subject);
      try {
        await store.destroy(subject);
      } finally {
        // Also where that failed: it may be destroyed all the same.
        destructions += 1;
        cache.delete(subject);
      }
    },
    erasedUpTo: () => store.erasedUpTo(),
    noteErasedUpTo: (event) => store.noteErasedUpTo(event),
    close: async () => {
      cache.clear();
      await store.close();
    },
  };
}
