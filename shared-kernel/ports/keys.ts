/**
 * Customers' data keys. Promises of every adapter, checked by `keys.contract.ts`:
 *
 * - `create` gives a new 32-byte key to a subject that has none and the present one to a subject that has one, also
 *   when several processes ask at once; durable when it resolves.
 * - A destroyed key cannot be had again from anything the store kept, and the subject gets no other:
 *   `create` then answers `undefined`, as `find` does.
 */
export interface KeyStore {
  find(subject: string): Promise<Uint8Array | undefined>;
  create(subject: string): Promise<Uint8Array | undefined>;
  destroy(subject: string): Promise<void>;
  close(): Promise<void>;
}

/** Length of a data key in bytes: AES-256. */
export const dataKeyLength = 32;

/** The subject whose key hashes requests that concern no person. */
export const systemSubject = '.system';
