import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { dataKeyLength, type KeyStore } from '@waybill/shared-kernel/ports/keys.js';

/** Keys in the memory of this process, for tests and trials: they end with it. */
export function openMemoryKeyStore(randomness: Randomness): KeyStore {
  /** `null` is the tombstone of a destroyed key. */
  const keys = new Map<string, Uint8Array | null>();
  const erasedUpTo = new Map<string, number>();
  return {
    find: async (subject) => keys.get(subject) ?? undefined,
    create: async (subject) => {
      if (!keys.has(subject)) keys.set(subject, randomness.bytes(dataKeyLength));
      return keys.get(subject) ?? undefined;
    },
    destroy: async (subject) => {
      keys.set(subject, null);
    },
    erasedUpTo: async (log) => erasedUpTo.get(log) ?? 0,
    noteErasedUpTo: async (log, position) => {
      erasedUpTo.set(log, Math.max(position, erasedUpTo.get(log) ?? 0));
    },
    close: async () => {},
  };
}
