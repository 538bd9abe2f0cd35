/**
 * Customers' data keys. Promises of every adapter, checked by `keys.contract.ts`:
 *
 * - `create` gives a new 32-byte key to a subject that has none and the present one to a subject that has one, also
 *   when several processes ask at once; durable when it resolves.
 * - A destroyed key cannot be had again from anything the store kept, and the subject gets no other:
 *   `create` then answers `undefined`, as `find` does.
 * - It remembers with its keys up to where in which log the erasures that the log tells of are carried out: older keys
 *   that are put back bring back what they knew of that, too.
 */
export interface KeyStore {
  find(subject: string): Promise<Uint8Array | undefined>;
  create(subject: string): Promise<Uint8Array | undefined>;
  destroy(subject: string): Promise<void>;
  /** Position in the log of this identity up to which every erasure is carried out here; 0: nothing is known of it. */
  erasedUpTo(log: string): Promise<number>;
  /** Notes such a position. It never goes back. */
  noteErasedUpTo(log: string, position: number): Promise<void>;
  close(): Promise<void>;
}

/** Length of a data key in bytes: AES-256. */
export const dataKeyLength = 32;

/** The subject whose key hashes requests that concern no person. */
export const systemSubject = '.system';
