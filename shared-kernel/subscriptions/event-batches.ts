import type { RecordedEvent } from '../message.js';
import { partitionCount, partitionOf } from '../partitions/partition.js';
import type { EventBatch, PreviousEvents } from '../ports/broker.js';
import { beginning, type StreamMark } from '../ports/event-store.js';
import type { RelayCheckpoint } from '../ports/read-store.js';
import { categories, categoryNameOf } from '../stream.js';

export interface BatchBounds {
  readonly maxEvents: number;
  /** Of events as JSON; an event that is larger goes alone. */
  readonly maxBytes: number;
}

/** RabbitMQ takes messages of at most 16 MiB from 4.0 on, and a consumer holds several of them. */
export const batchBounds: BatchBounds = { maxEvents: 500, maxBytes: 512 * 1024 };

/** An event is measured once, whoever asks. */
const sizes = new WeakMap<RecordedEvent, number>();

/** Bytes of an event as JSON. */
export function bytesOf(event: RecordedEvent): number {
  let size = sizes.get(event);
  if (size === undefined) sizes.set(event, (size = Buffer.byteLength(JSON.stringify(event))));
  return size;
}

/** Cuts a log that is read from a position on into batches by partition. What they say is determined by the log alone. */
export class BatchCutter {
  readonly #log: string;
  readonly #since: number;
  readonly #bounds: BatchBounds;
  /** By partition: category → position of its last event. */
  readonly #positions: Record<string, number>[] = [];

  /** `log`: its identity. `since`: the position after which it is read. */
  constructor(log: string, since: number, bounds = batchBounds) {
    this.#log = log;
    this.#since = since;
    this.#bounds = bounds;
  }

  /**
   * `events` and `marks`: what comes next in the log. A batch leads up to its last event, by which its consumer knows the
   * log again. Of a mark no batch tells, but the next one says that something was before it, which is read from the log.
   */
  cut(events: readonly RecordedEvent[], marks: readonly StreamMark[] = []): EventBatch[] {
    const batches: EventBatch[] = [];
    let from = 0;
    for (const mark of marks) {
      const to = events.findIndex(({ position }) => position > mark.position);
      const before = events.slice(from, to === -1 ? events.length : to);
      batches.push(...this.#cut(before));
      from += before.length;
      for (let partition = 0; partition < partitionCount; partition += 1) this.#pass(partition, [mark]);
    }
    return [...batches, ...this.#cut(events.slice(from))];
  }

  #cut(events: readonly RecordedEvent[]): EventBatch[] {
    const byPartition = new Map<number, RecordedEvent[]>();
    for (const event of events) {
      const partition = partitionOf(event.partitionKey);
      const others = byPartition.get(partition);
      if (others === undefined) byPartition.set(partition, [event]);
      else others.push(event);
    }
    return [...byPartition].flatMap(([partition, ofPartition]) => {
      return chunked(ofPartition, this.#bounds).map((chunk): EventBatch => {
        const through = chunk.at(-1)!.position;
        return { log: this.#log, partition, previous: this.#pass(partition, chunk), events: chunk, through };
      });
    });
  }

  /** For consumers of the release before, which ask the relay's checkpoint whether they missed something: no event is later. */
  heads(): RelayCheckpoint['heads'] {
    const unknown = Object.fromEntries(categories.map((category) => [category, this.#since]));
    return Object.fromEntries(
      Array.from({ length: partitionCount }, (_, partition) => [
        partition,
        { ...unknown, ...this.#positions[partition] },
      ]),
    );
  }

  /** What was before these events; from now on they are what was before the next. */
  #pass(partition: number, events: readonly Pick<RecordedEvent, 'stream' | 'position'>[]): PreviousEvents {
    const positions = (this.#positions[partition] ??= {});
    const previous = { since: this.#since, positions: { ...positions } };
    for (const { stream, position } of events) positions[categoryNameOf(stream)] = position;
    return previous;
  }
}

function chunked(events: readonly RecordedEvent[], { maxEvents, maxBytes }: BatchBounds): RecordedEvent[][] {
  const chunks: RecordedEvent[][] = [];
  let chunk: RecordedEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = bytesOf(event);
    if (chunk.length === 0 || chunk.length === maxEvents || bytes + size > maxBytes) {
      chunks.push((chunk = []));
      bytes = 0;
    }
    chunk.push(event);
    bytes += size;
  }
  return chunks;
}

export interface Followed {
  /** What comes next after the position of the categories, in order, each once. */
  readonly events: readonly RecordedEvent[];
  /** How far that leads. */
  readonly through: number;
  /** All events of the batches up to there, whatever their category. */
  readonly passed: readonly RecordedEvent[];
  /** Something is missing before the next batch, up to this position: it is in the log. */
  readonly missing?: number;
}

/**
 * Follows batches of a partition from a position up to which all events of some categories are handled. Duplicates are
 * no-ops, the order in which batches come does not matter, and what is missing ends it.
 */
export function followBatches(
  position: number,
  categories: ReadonlySet<string>,
  batches: readonly EventBatch[],
): Followed {
  const events: RecordedEvent[] = [];
  let through = position;
  const passed: RecordedEvent[] = [];
  for (const batch of batches.toSorted((one, other) => one.through - other.through)) {
    if (batch.through <= through) continue;
    const before = lastOf(batch.previous, categories);
    if (before > through) return { events, through, passed, missing: before };
    for (const event of batch.events) {
      if (event.position > through && categories.has(categoryNameOf(event.stream))) events.push(event);
    }
    passed.push(...batch.events);
    ({ through } = batch);
  }
  return { events, through, passed };
}

/** Position up to which there may be events of the categories before a batch. */
function lastOf({ since, positions }: PreviousEvents, categories: ReadonlySet<string>): number {
  let last = beginning;
  for (const category of categories) last = Math.max(last, positions[category] ?? since);
  return last;
}
