import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Appended, EventStore, LogPage } from '@waybill/shared-kernel/ports/event-store.js';
import { watched, type WatchAppend } from '@waybill/shared-kernel/watch.js';

/** A log whose appends are watched. */
export class WatchedEventStore implements EventStore {
  readonly #log: EventStore;
  readonly #watch: WatchAppend;

  constructor(log: EventStore, watch: WatchAppend) {
    this.#log = log;
    this.#watch = watch;
  }

  append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended> {
    return watched(this.#watch(stream, events), () => this.#log.append(stream, expectedRevision, events));
  }

  readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#log.readStream(stream, from, limit);
  }

  readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#log.readStreamBackwards(stream, from, limit);
  }

  cutOf(stream: string): ReturnType<EventStore['cutOf']> {
    return this.#log.cutOf(stream);
  }

  readAll(after: number, limit: number): Promise<LogPage> {
    return this.#log.readAll(after, limit);
  }

  readAllBackwards(before: number, limit: number): Promise<LogPage> {
    return this.#log.readAllBackwards(before, limit);
  }

  recordAt(position: number): ReturnType<EventStore['recordAt']> {
    return this.#log.recordAt(position);
  }

  head(): Promise<number> {
    return this.#log.head();
  }

  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<LogPage> {
    return this.#log.subscribe(after, limit, signal);
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
