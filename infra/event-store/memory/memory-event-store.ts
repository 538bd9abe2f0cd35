import { StreamCut, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import {
  largestPage,
  noStream,
  type Appended,
  type Cut,
  type EventStore,
  type LogPage,
  type StreamMark,
} from '@waybill/shared-kernel/ports/event-store.js';
import { appendOf, closedStore, isSameEvent } from '../append.js';
import { Changes } from '../changes.js';
import { follow } from '../follow.js';
import { foundIn, isMark, recordedEvent, recordedEvents, type StoredEvent } from '../stored-event.js';

/** A stream, also what was cut off: the event of revision n is at n. */
interface Stream {
  readonly events: StoredEvent[];
  /** Revision of the first event that is left; `Infinity`: soft-deleted. */
  first: number;
  isTombstoned: boolean;
}

/** A log for the life of the process. Positions are 1, 2, 3 … */
export class MemoryEventStore implements EventStore {
  readonly #clock: WallClock;
  /** What is at each position: an event, or what is said about a stream. */
  readonly #log: (StoredEvent | StreamMark)[] = [];
  readonly #streams = new Map<string, Stream>();
  readonly #changes = new Changes();
  #lastRecordedAt = '';

  constructor(clock: WallClock) {
    this.#clock = clock;
  }

  async append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended> {
    this.#assertOpen();
    const { bodies } = appendOf(stream, expectedRevision, events);
    const state = this.#streams.get(stream) ?? { events: [], first: 0, isTombstoned: false };
    if (state.isTombstoned) throw new StreamCut(stream, undefined);
    const actual = state.events.length - 1;
    const isReborn = state.first === Infinity && expectedRevision === noStream;
    if (actual !== expectedRevision) {
      const there = state.events.slice(expectedRevision + 1, expectedRevision + 1 + bodies.length);
      const last = there.at(-1);
      const isRepeat = bodies.every((body, index) => isSameEvent(body, there[index]?.[4] ?? '{}'));
      if (last !== undefined && isRepeat) {
        if (last[2] < state.first) throw new StreamCut(stream, firstLeft(state));
        return { revision: last[2], position: last[0] };
      }
      if (!isReborn) throw new WrongExpectedRevision(stream, expectedRevision, actual);
    }
    const now = timestamp(this.#clock);
    if (now > this.#lastRecordedAt) this.#lastRecordedAt = now;
    let revision = actual;
    for (const body of bodies) {
      const event = [this.#log.length + 1, stream, (revision += 1), this.#lastRecordedAt, body] as const;
      state.events.push(event);
      this.#log.push(event);
    }
    this.#streams.set(stream, state);
    const position = this.#log.length;
    // Whoever appends to a soft-deleted stream has it back, from there on.
    if (state.first === Infinity) this.truncate(stream, actual + 1);
    this.#changes.announce();
    if (isReborn) throw new StreamCut(stream, actual + 1);
    return { revision, position };
  }

  async readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    const state = this.#readable(stream);
    const [start, first] = [Math.max(0, from), firstLeft(state)];
    if (first === undefined || limit <= 0) return [];
    if (first > start) throw new StreamCut(stream, first);
    return recordedEvents(state.events.slice(start, start + limit));
  }

  async readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    const { events, first } = this.#readable(stream);
    const end = Math.max(0, Math.min(from + 1, events.length));
    return recordedEvents(events.slice(Math.max(first, end - Math.max(0, limit)), end).reverse());
  }

  async cutOf(stream: string): Promise<Cut | undefined> {
    this.#assertOpen();
    const state = this.#streams.get(stream);
    if (state === undefined || (state.first === 0 && !state.isTombstoned)) return undefined;
    return { firstRevision: firstLeft(state) };
  }

  async readAll(after: number, limit: number): Promise<LogPage> {
    this.#assertOpen();
    const records = this.#log.slice(after, after + Math.min(limit, largestPage));
    const through = after + records.length;
    return { ...foundIn(records), through, isEnd: through >= this.#log.length };
  }

  async readAllBackwards(before: number, limit: number): Promise<LogPage> {
    this.#assertOpen();
    const end = Math.max(0, Math.min(before - 1, this.#log.length));
    const start = Math.max(0, end - Math.min(limit, largestPage));
    const records = this.#log.slice(start, end).reverse();
    const through = records.length === 0 ? before : start + 1;
    return { ...foundIn(records), through, isEnd: start === 0 };
  }

  async recordAt(position: number): Promise<{ readonly id: string } | 'unreadable' | 'none'> {
    this.#assertOpen();
    const record = this.#log[position - 1];
    if (record === undefined) return 'none';
    return isMark(record) ? { id: `mark-${position}` } : (recordedEvent(record) ?? 'unreadable');
  }

  async head(): Promise<number> {
    this.#assertOpen();
    return this.#log.length;
  }

  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<LogPage> {
    return follow(this, this.#changes, after, limit, signal);
  }

  async close(): Promise<void> {
    this.#changes.close();
  }

  /**
   * For tests, what an operator of EventStoreDB can do: reads of the stream begin at revision `before` from now on.
   * `Infinity` soft-deletes it, 0 takes a truncation back. The log keeps the events, and has a mark that says so.
   */
  truncate(stream: string, before: number): void {
    const state = this.#streams.get(stream);
    if (state === undefined) throw new RangeError(`there is no stream ${stream}`);
    state.first = before;
    const detail = before === 0 ? 'Nothing is cut any more.' : `It was truncated before revision ${before}.`;
    this.#log.push({ stream, position: this.#log.length + 1, why: 'metadata', detail });
    this.#changes.announce();
  }

  /** For tests, what an operator of EventStoreDB can do: the stream is gone, and takes nothing any more. */
  tombstone(stream: string): void {
    const state = this.#streams.get(stream) ?? { events: [], first: 0, isTombstoned: false };
    state.isTombstoned = true;
    this.#streams.set(stream, state);
    const detail = 'It was tombstoned.';
    this.#log.push({ stream, position: this.#log.length + 1, why: 'deleted', detail });
    this.#changes.announce();
  }

  /** Throws `StreamCut` where the stream was tombstoned. */
  #readable(stream: string): Stream {
    this.#assertOpen();
    const state = this.#streams.get(stream) ?? { events: [], first: 0, isTombstoned: false };
    if (state.isTombstoned) throw new StreamCut(stream, undefined);
    return state;
  }

  #assertOpen(): void {
    if (this.#changes.closed) throw closedStore();
  }
}

function firstLeft({ events, first, isTombstoned }: Stream): number | undefined {
  return isTombstoned || first >= events.length ? undefined : first;
}
