import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { dataKeyLength, type EventMark, type KeyStore } from '@waybill/shared-kernel/ports/keys.js';

/** Keys in the memory of this process, for tests and trials: they end with it. */
export function openMemoryKeyStore(randomness: Randomness): KeyStore {
  /** `null` is the tombstone of a destroyed key. */
  const keys = new Map<string, Uint8Array | null>();
  let erasedUpTo: EventMark | undefined;
  return {
    find: async (subject) => keys.get(subject) ?? undefined,
    create: async (subject) => {
      if (!keys.has(subject)) keys.set(subject, randomness.bytes(dataKeyLength));
      return keys.get(subject) ?? undefined;
    },
    destroy: async (subject) => {
      keys.set(subject, null);
    },
    erasedUpTo: async () => erasedUpTo,
    noteErasedUpTo: async (event) => {
      erasedUpTo = event;
    },
    close: async () => {},
  };
}
