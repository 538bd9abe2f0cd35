import type { NewEvent, RecordedEvent } from '../message.js';

/** The revision that "the stream has no events yet" stands for. */
export const noStream = -1;

/** Where a log begins: the position before its first event. */
export const beginning = 0;

export interface Appended {
  /** Revision of the last event appended. */
  readonly revision: number;
  /** Position of the last event appended. */
  readonly position: number;
}

/** A page of the log as a subscription hands it out. */
export interface SubscriptionBatch {
  /** In position order, without gaps from the batch before; empty when the log had nothing new. */
  readonly events: readonly RecordedEvent[];
  /** True when, as these events were read, nothing came after them. */
  readonly caughtUp: boolean;
}

/**
 * The log: an append-only list of events, each in one stream. Promises of every adapter, checked by
 * `event-store.contract.ts`:
 *
 * - An append is all or nothing, and durable when its promise resolves (memory: for the life of the process).
 * - Of several appends that expect the same revision exactly one wins; the others reject with
 *   `WrongExpectedRevision` and change nothing. An append whose very events (same ids, same stream, at exactly the
 *   revisions it would get) are already there resolves again with their revision and position.
 * - Revisions of a stream are 0, 1, 2 …; positions rise along the log.
 * - Readers see a prefix of the log: no event ever becomes visible at a position below one that a reader could
 *   already have seen. `readAll` and `subscribe` therefore miss nothing by remembering the last position.
 * - `recordedAt` never goes backwards along the log.
 * - What is read is what was appended, unchanged: upcasting is the reader's business (`events/upcast.ts`).
 * - `Unavailable` when the store cannot be reached; the outcome of an append is then unknown, and appending the same
 *   events again at the same revision is safe.
 */
export interface EventStore {
  /**
   * Appends at least one event to a stream that stands at `expectedRevision` (−1: has none). Rejects with
   * `InvalidInput` where the events are more than the store takes at once.
   */
  append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended>;

  /** At most `limit` events of a stream, forwards from `from` (inclusive). Empty for an unknown stream. */
  readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]>;

  /** At most `limit` events of a stream, backwards from `from` (inclusive; `Infinity`: from its end). */
  readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]>;

  /** At most `limit` events of the log after `position` (exclusive), in position order. */
  readAll(after: number, limit: number): Promise<readonly RecordedEvent[]>;

  /** At most `limit` events of the log before `position` (exclusive; `Infinity`: from its end), the latest first. */
  readAllBackwards(before: number, limit: number): Promise<readonly RecordedEvent[]>;

  /** The position of the last event of the log, `beginning` when it has none. */
  head(): Promise<number>;

  /**
   * The log after `position` (exclusive), then what is appended from now on, by this or any other process, until
   * `signal` aborts. At most `limit` events a batch; the next is read when the one before has been worked on. The
   * first batch with `caughtUp` comes even from an empty log; after that batches come only with events.
   */
  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<SubscriptionBatch>;

  close(): Promise<void>;
}
