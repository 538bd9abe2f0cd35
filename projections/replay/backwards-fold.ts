import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { bucketCount, bucketOf } from './bucket.js';
import { SpillFile } from './spill-file.js';
import { viewPast, type Past, type ViewOf } from './view-past.js';

/** Events that wait in memory unless said otherwise: some 40 MB of them. */
const defaultCapacity = 20_000;

/** A document of which the log has not been read back to the beginning yet. */
interface OpenDocument {
  /** The latest first. */
  readonly events: RecordedEvent[];
  /** Categories, a bit each: of whose streams an event was seen, and of whose the first one was. */
  seen: number;
  begun: number;
}

/**
 * Folds the documents of a projection from a log that is read from its end to its beginning, in bounded memory.
 *
 * Backwards one sees when a document is complete: at the first event of its first category's stream, where every
 * document begins, and nothing of it lies before that. It is folded then and there and let go, so only the events of
 * documents that are open wait in memory: those of the orders under way at one time. Where these are too many, all
 * that belongs to some 256th of the keys is put aside on disk, and then of another, and folded in the end.
 */
export class BackwardsFold<View> {
  readonly #projection: Projection;
  readonly #viewOf: ViewOf<View>;
  readonly #bits: ReadonlyMap<Category, number>;
  readonly #capacity: number;
  readonly #open = new Map<string, OpenDocument>();
  readonly #aside = new Set<number>();
  #spill: SpillFile | undefined;
  #waiting = 0;

  constructor(projection: Projection, viewOf: ViewOf<View>, capacity = defaultCapacity) {
    this.#projection = projection;
    this.#viewOf = viewOf;
    this.#bits = new Map(projection.categories.map((category, index) => [category, 1 << index]));
    this.#capacity = capacity;
  }

  /**
   * Takes the event before the one taken last, and answers with the document that it completes, if any. One that is
   * not `wanted` is left out of its document.
   */
  add(event: RecordedEvent, wanted: boolean): Past<View> | undefined {
    const category = categoryOf(event.stream);
    const bit = category === undefined ? undefined : this.#bits.get(category);
    if (bit === undefined) return undefined;
    if (wanted) refuseFuture(event);
    const key = this.#projection.key(event);
    if (this.#aside.size > 0 && this.#aside.has(bucketOf(key))) {
      if (wanted) this.#putAside(key, event);
      return undefined;
    }
    const document = this.#document(key);
    document.seen |= bit;
    if (event.revision === 0) document.begun |= bit;
    if (wanted) {
      document.events.push(event);
      this.#waiting += 1;
    }
    if ((document.begun & 1) === 1 && document.begun === document.seen) {
      this.#open.delete(key);
      this.#waiting -= document.events.length;
      return this.#view(document.events.reverse());
    }
    if (this.#waiting > this.#capacity) this.#makeRoom(bucketOf(key));
    return undefined;
  }

  /** The documents that were put aside, once the log was read to its beginning. */
  *rest(): Generator<Past<View>, void, undefined> {
    const [begunNowhere] = this.#open.keys();
    if (begunNowhere !== undefined) {
      throw new Error(
        `${this.#projection.collection.name} ${begunNowhere} has events and no beginning after which they come`,
      );
    }
    for (const bucket of this.#aside) {
      const documents = new Map<string, RecordedEvent[]>();
      for (const line of this.#spill?.read(bucket) ?? []) {
        const [key, event] = JSON.parse(line) as [string, RecordedEvent];
        const events = documents.get(key);
        if (events === undefined) documents.set(key, [event]);
        else events.push(event);
      }
      for (const events of documents.values()) yield this.#view(events.reverse());
    }
  }

  /** Frees what is on disk. */
  close(): void {
    this.#spill?.close();
    this.#spill = undefined;
  }

  #document(key: string): OpenDocument {
    let document = this.#open.get(key);
    if (document === undefined) {
      document = { events: [], seen: 0, begun: 0 };
      this.#open.set(key, document);
    }
    return document;
  }

  /** Of events in the order of the log. */
  #view(events: readonly RecordedEvent[]): Past<View> {
    return viewPast(this.#projection, this.#viewOf, events);
  }

  /** From now on all of a bucket goes to disk. */
  #makeRoom(bucket: number): void {
    this.#aside.add(bucket);
    for (const [key, { events }] of this.#open) {
      if (bucketOf(key) !== bucket) continue;
      for (const event of events) this.#putAside(key, event);
      this.#open.delete(key);
      this.#waiting -= events.length;
    }
  }

  #putAside(key: string, event: RecordedEvent): void {
    this.#spill ??= new SpillFile(bucketCount);
    this.#spill.write(bucketOf(key), JSON.stringify([key, event]));
  }
}
