import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { largestPage, type Appended, type EventStore, type LogPage } from '@waybill/shared-kernel/ports/event-store.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

/**
 * The log, and what is appended to it handed on at once: by partition, as relay and broker do. Each event is read once
 * from where it is kept; reading it anew for each of its many readers would be half of a week's work.
 */
export class WatchedLog extends MemoryEventStore {
  readonly #events: RecordedEvent[] = [];
  readonly #streams = new Map<string, RecordedEvent[]>();
  readonly #partitions: RecordedEvent[][] = Array.from({ length: partitionCount }, () => []);
  readonly #watchers: ((event: RecordedEvent) => void)[] = [];

  watch(watcher: (event: RecordedEvent) => void): void {
    this.#watchers.push(watcher);
  }

  /** How many events there are, which is the position of the last. */
  get length(): number {
    return this.#events.length;
  }

  override async append(...asked: Parameters<EventStore['append']>): Promise<Appended> {
    const appended = await super.append(...asked);
    for (const event of (await super.readAll(this.length, largestPage)).events)
      if (event.position > this.length) this.#add(event);
    return appended;
  }

  override async readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return (this.#streams.get(stream) ?? []).slice(Math.max(0, from), from + limit);
  }

  override async readAll(after: number, limit: number): Promise<LogPage> {
    const events = this.#events.slice(after, after + Math.min(limit, largestPage));
    const through = events.at(-1)?.position ?? after;
    return { events, marks: [], through, isEnd: through >= this.length };
  }

  /** What it keeps, read anew. */
  kept(): Promise<readonly RecordedEvent[]> {
    return wholeLog({ readAll: (after, limit) => super.readAll(after, limit) });
  }

  /** At most so many events of a partition after a position. */
  ofPartition(partition: number, after: number, limit: number): readonly RecordedEvent[] {
    const events = this.#partitions[partition]!;
    let [low, high] = [0, events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (events[middle]!.position <= after) low = middle + 1;
      else high = middle;
    }
    return events.slice(low, low + limit);
  }

  #add(event: RecordedEvent): void {
    this.#events.push(event);
    this.#partitions[partitionOf(event.partitionKey)]!.push(event);
    const stream = this.#streams.get(event.stream);
    if (stream === undefined) this.#streams.set(event.stream, [event]);
    else stream.push(event);
    for (const watcher of this.#watchers) watcher(event);
  }
}
