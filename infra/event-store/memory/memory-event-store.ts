import { WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp, type Clock } from '@waybill/shared-kernel/ports/clock.js';
import {
  beginning,
  type Appended,
  type EventStore,
  type SubscriptionBatch,
} from '@waybill/shared-kernel/ports/event-store.js';
import { appendOf, closedStore, isSameEvent, recordedEvent } from '../append.js';
import { Changes } from '../changes.js';
import { follow } from '../follow.js';

interface Row {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly recordedAt: string;
  readonly body: string;
}

/** A log for the life of the process. Positions are 1, 2, 3 … */
export class MemoryEventStore implements EventStore {
  readonly #clock: Clock;
  readonly #log: Row[] = [];
  readonly #streams = new Map<string, Row[]>();
  readonly #changes = new Changes();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended> {
    this.#assertOpen();
    const { bodies } = appendOf(stream, expectedRevision, events);
    const rows = this.#streams.get(stream) ?? [];
    const actual = rows.length - 1;
    if (actual !== expectedRevision) {
      const there = rows.slice(expectedRevision + 1, expectedRevision + 1 + bodies.length);
      const last = there.at(-1);
      const isRepeat = bodies.every((body, index) => isSameEvent(body, there[index]?.body ?? '{}'));
      if (last !== undefined && isRepeat) return appended(last);
      throw new WrongExpectedRevision(stream, expectedRevision, actual);
    }
    const before = this.#log.at(-1);
    const now = timestamp(this.#clock);
    const recordedAt = before !== undefined && before.recordedAt > now ? before.recordedAt : now;
    let position = before?.position ?? beginning;
    let revision = actual;
    for (const body of bodies) {
      const row = { position: (position += 1), stream, revision: (revision += 1), recordedAt, body };
      rows.push(row);
      this.#log.push(row);
    }
    this.#streams.set(stream, rows);
    this.#changes.announce();
    return { revision, position };
  }

  async readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    this.#assertOpen();
    return (this.#streams.get(stream) ?? []).slice(Math.max(0, from), from + limit).map(read);
  }

  async readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    this.#assertOpen();
    const rows = this.#streams.get(stream) ?? [];
    const end = Math.max(0, Math.min(from + 1, rows.length));
    return rows
      .slice(Math.max(0, end - limit), end)
      .reverse()
      .map(read);
  }

  async readAll(after: number, limit: number): Promise<readonly RecordedEvent[]> {
    this.#assertOpen();
    return this.#log.slice(after, after + limit).map(read);
  }

  async readAllBackwards(before: number, limit: number): Promise<readonly RecordedEvent[]> {
    this.#assertOpen();
    const end = Math.min(before - 1, this.#log.length);
    return this.#log
      .slice(Math.max(0, end - limit), Math.max(0, end))
      .reverse()
      .map(read);
  }

  async head(): Promise<number> {
    this.#assertOpen();
    return this.#log.at(-1)?.position ?? beginning;
  }

  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<SubscriptionBatch> {
    return follow(this, this.#changes, after, limit, signal);
  }

  async close(): Promise<void> {
    this.#changes.close();
  }

  #assertOpen(): void {
    if (this.#changes.closed) throw closedStore();
  }
}

function appended(row: Row): Appended {
  return { revision: row.revision, position: row.position };
}

function read(row: Row): RecordedEvent {
  return recordedEvent(row.position, row.stream, row.revision, row.recordedAt, row.body);
}
