import type { RecordedEvent } from '../message.js';

/**
 * Customers' data keys. Promises of every adapter, checked by `keys.contract.ts`:
 *
 * - `create` gives a new 32-byte key to a subject that has none and the present one to a subject that has one, also
 *   when several processes ask at once; durable when it resolves.
 * - A destroyed key cannot be had again from anything the store kept, and the subject gets no other:
 *   `create` then answers `undefined`, as `find` does.
 * - It remembers with its keys up to which event of the log all erasures are carried out: older keys that are put back
 *   bring back what they knew of that, too.
 */
export interface KeyStore {
  find(subject: string): Promise<Uint8Array | undefined>;
  create(subject: string): Promise<Uint8Array | undefined>;
  destroy(subject: string): Promise<void>;
  /** The event up to which every erasure in the log is carried out here, as noted last; `undefined`: none is noted. */
  erasedUpTo(): Promise<EventMark | undefined>;
  noteErasedUpTo(event: EventMark): Promise<void>;
  close(): Promise<void>;
}

/** What erasing needs of it, and what can be done where keys cannot be opened. */
export type ErasableKeys = Pick<KeyStore, 'destroy' | 'erasedUpTo' | 'noteErasedUpTo' | 'close'>;

/** An event as it is told from all others, those of other logs included, and of other times of this one. */
export type EventMark = Pick<RecordedEvent, 'id' | 'stream' | 'revision' | 'position'>;

/** Length of a data key in bytes: AES-256. */
export const dataKeyLength = 32;

/** The subject whose key hashes requests that concern no person. */
export const systemSubject = '.system';

/**
 * The subject whose key makes the ids of new aggregates from requests: the service key. It is made on first use and
 * never replaced. Like the one above it is no id that a customer can have.
 */
export const serviceSubject = '.service';
