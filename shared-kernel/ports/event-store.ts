import type { NewEvent, RecordedEvent } from '../message.js';

/** The revision of a stream without events. */
export const noStream = -1;

/** Where a log begins: the position before its first event. */
export const beginning = 0;

export interface Appended {
  /** Revision of the last event appended. */
  readonly revision: number;
  /** Position of the last event appended. */
  readonly position: number;
}

/** The most records that one read looks at. */
export const largestPage = 1_000;

/**
 * A record about a stream of ours that cannot be read as an event, or after which events of the stream may be gone.
 * Only that stream is in doubt.
 */
export interface StreamMark {
  readonly stream: string;
  /** Position of the record. */
  readonly position: number;
  /**
   * `metadata`: the stream's metadata were set, which say what is truncated (`$tb`, `$maxCount`, `$maxAge`), or that
   * nothing is any more; `deleted`: the stream was tombstoned; `unreadable`: an event that cannot be read as one of ours.
   */
  readonly why: 'metadata' | 'deleted' | 'unreadable';
  /** Metadata by which the stream loses events as it grows or ages (`$maxCount`, `$maxAge`), if it has lost none yet. */
  readonly losesEvents?: true;
  /** Of the event that cannot be read. */
  readonly revision?: number;
  /** What is wrong, in a sentence; of an event, why it cannot be read, as the end of one. */
  readonly detail: string;
}

/**
 * What one read of the log found. Other programs may write to the same store, so a record need not be an event of ours:
 * a page without events is not the end of the log.
 */
export interface LogPage {
  /** The events of ours among the records that were looked at, in the order of reading. */
  readonly events: readonly RecordedEvent[];
  /** The marks of streams of ours among the records that were looked at, in the order of reading. */
  readonly marks: readonly StreamMark[];
  /**
   * Position of the last record that was looked at, whoever wrote it; without any, the position that was read from. No
   * other event or mark of ours will ever appear in between.
   */
  readonly through: number;
  /** At the time of reading the log had no further record in the direction of reading. */
  readonly isEnd: boolean;
}

/** What is known of a stream of which events are gone. */
export interface Cut {
  /** Revision of the first event that is left; `undefined`: none is. */
  readonly firstRevision: number | undefined;
}

/**
 * Adds to the log.
 *
 * - An append is all or nothing, and durable when its promise resolves (memory: for the life of the process).
 * - Of several appends that expect the same revision exactly one wins; the others reject with `WrongExpectedRevision` and
 *   change nothing. An append whose very events (same ids, same stream, at exactly the revisions it would get) are already
 *   there resolves again with their revision and position.
 * - Revisions of a stream are 0, 1, 2 …; positions rise along the log, and `recordedAt` never goes backwards along it.
 * - `Unavailable` when the store cannot be reached: the outcome of the append is then unknown, and appending the same
 *   events again at the same revision is safe.
 */
export interface Appender {
  /**
   * Appends at least one event to a stream that stands at `expectedRevision` (−1: has none). Rejects with
   * `InvalidInput` where the events are more than the store takes at once. Rejects with `StreamCut` where the stream was
   * tombstoned; where a repeat's original is cut away; and where the events, though stored, got later revisions than
   * those asked for, as events that were deleted had them before.
   */
  append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended>;
}

/**
 * The events of a stream, in the order of its revisions.
 *
 * - Events can be taken out of a stream from outside: truncated, deleted, tombstoned. Revisions go on all the same, and
 *   what is asked of the stream then says `StreamCut` rather than less than there was.
 * - What is read is what was appended, unchanged: upcasting is the reader's business (`events/upcast.ts`).
 * - `Unavailable` when the store cannot be reached.
 */
export interface StreamEvents {
  /**
   * At most `limit` events of a stream, forwards from `from` (inclusive). Empty for an unknown stream, and for one of
   * which nothing is left (see `StreamCuts`). Rejects with `StreamCut` when the first event found has a later revision than
   * `from`, one among those found is gone, or the stream was tombstoned; with `StreamUnreadable` at an event that cannot be
   * read as one of ours.
   */
  readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]>;
}

/** Tells a stream that never was from one of which events are gone. `Unavailable` when the store cannot be reached. */
export interface StreamCuts {
  /**
   * Which events of a stream are gone; `undefined` if it begins at revision 0 or never existed. Ask it when a stream
   * that must have events has none.
   */
  cutOf(stream: string): Promise<Cut | undefined>;
}

/** Reads a stream and knows whether that is all there was of it. */
export interface StreamReader extends StreamEvents, StreamCuts {}

/** Reads a stream from its end, with the promises of `StreamEvents` but that a truncated beginning is no fault. */
export interface BackwardsStreamReader {
  /**
   * At most `limit` events of a stream, backwards from `from` (inclusive; `Infinity`: from its end), as far as it was not
   * truncated. Rejects with `StreamCut` when the stream was tombstoned, with `StreamUnreadable` as `readStream` does.
   */
  readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]>;
}

/**
 * The events of all streams, page by page, in the order of their positions.
 *
 * - A reader sees a prefix of the log: no event ever becomes visible at a position below one that a reader could already
 *   have seen. Whoever goes on from the last page's `through` misses nothing.
 * - One record that cannot be read is one stream's trouble: the log goes on over it, see `LogPage.marks`.
 * - What is read is what was appended, unchanged: upcasting is the reader's business (`events/upcast.ts`).
 * - `Unavailable` when the store cannot be reached.
 */
export interface LogPages {
  /**
   * One read of the log after a position (exclusive), in position order: at most `limit` records, and never more than
   * `largestPage`. `after` is the position of a record or `beginning`.
   */
  readAll(after: number, limit: number): Promise<LogPage>;
}

/**
 * The end of the log, by which a follower knows whether it is level with it.
 *
 * - Whoever asks for the `head` and then reads until `through` is there has met every event acknowledged before.
 * - `Unavailable` when the store cannot be reached.
 */
export interface LogHead {
  /** The position of the last record of the log, whoever wrote it; `beginning` when it has none. */
  head(): Promise<number>;
}

/** What is at a position, by which a follower knows whether one that it remembers is of this log. */
export interface LogPositions extends LogHead {
  /**
   * The record at a position where an event once was. `unreadable`: there is one that cannot be read. `absent`: there
   * is none, but the log goes on behind it, so it was truncated. `none`: no record of this log can be there, for
   * instance because the log ends before it.
   */
  recordAt(position: number): Promise<{ readonly id: string } | 'unreadable' | 'absent' | 'none'>;
}

/** Reads the log from a position that it remembers, and knows whether it is level with it. */
export interface LogReader extends LogPages, LogPositions {}

/** Reads the log from its end, with the promises of `LogPages` about the log as it is when that begins. */
export interface BackwardsLogReader {
  /** As `readAll`, before a position (exclusive; `Infinity`: from the end of the log), the latest first. */
  readAllBackwards(before: number, limit: number): Promise<LogPage>;
}

/** Reads the log and goes on with what is appended, with the promises of `LogPages`. */
export interface Subscribable {
  /**
   * The log after `position` (exclusive), then what is appended from now on, by this or any other process, until
   * `signal` aborts. Pages as `readAll` gives them, each beginning where the one before ended; the next is read when
   * that has been worked on. The first with `isEnd` comes even from an empty log; after that `through` has moved with
   * each, though not always by an event of ours.
   */
  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<LogPage>;
}

/**
 * The log: an append-only list of events, each in one stream. An adapter plays every role above and keeps what each
 * promises, checked by `event-store.contract.ts`; whoever uses it asks for the roles that it needs.
 */
export interface EventStore
  extends Appender, StreamReader, BackwardsStreamReader, LogReader, BackwardsLogReader, Subscribable {
  close(): Promise<void>;
}
