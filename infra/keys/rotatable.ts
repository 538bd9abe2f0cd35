import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';

export interface Rotated {
  /** How many keys were wrapped by another master key until then. */
  readonly wrappedAnew: number;
}

/** A key store whose master key can be exchanged for another. */
export interface RotatableKeyStore extends KeyStore {
  /**
   * Wraps every key by the present master key, those made meanwhile included, while others use the store. Broken off at
   * any moment, each key opens with the present or the previous master key, and once more does the rest; when it finds
   * nothing to do the previous one is needed no more. Throws `BadDataFile` where a key opens with neither.
   */
  rotate(): Promise<Rotated>;
}
