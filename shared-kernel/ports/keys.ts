import type { RecordedEvent } from '../message.js';

/** The keys that there are, as it takes to open what was sealed. */
export interface KeyReader {
  /** `undefined`: the subject has none, or it was destroyed. */
  find(subject: string): Promise<Uint8Array | undefined>;
}

/** Keys as it takes to seal, too. */
export interface DataKeys extends KeyReader {
  /**
   * A new 32-byte key for a subject that has none and the present one for a subject that has one, also when several
   * processes ask at once; durable when it resolves. `undefined`: the subject's key was destroyed.
   */
  create(subject: string): Promise<Uint8Array | undefined>;
}

/**
 * How far the erasures in the log are carried out. It is remembered with the keys: older keys that are put back bring
 * back what they knew of that, too.
 */
export interface NotedErasures {
  /** The event up to which every erasure in the log is carried out here, as noted last; `undefined`: none is noted. */
  erasedUpTo(): Promise<EventMark | undefined>;
  noteErasedUpTo(event: EventMark): Promise<void>;
}

/**
 * What erasing needs, and what can be done where keys cannot be opened. A destroyed key cannot be had again from anything
 * the store kept, and the subject gets no other: `create` then answers `undefined`, as `find` does.
 */
export interface ErasableKeys extends NotedErasures {
  destroy(subject: string): Promise<void>;
  close(): Promise<void>;
}

/** Customers' data keys. What each role promises every adapter keeps, checked by `keys.contract.ts`. */
export interface KeyStore extends DataKeys, ErasableKeys {}

/** What identifies an event among all others, those of other logs and of other states of this log included. */
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
