import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { bucketCount, bucketOf } from './bucket.js';
import { SpillFile } from './spill-file.js';
import { viewPast, type Past, type ViewOf } from './view-past.js';

/** Events that wait in memory unless said otherwise: some 40 MB of them. */
const defaultCapacity = 20_000;

/** Categories, a bit each: of whose streams an event was seen, and of whose the first one was. */
interface Met {
  seen: number;
  begun: number;
}

/** A document of which the log has not been read back to the beginning yet. */
interface OpenDocument extends Met {
  /** The latest first. */
  readonly events: RecordedEvent[];
}

/** `event`: one that is wanted; null: there may be none. */
type SpilledLine = readonly [key: string, event: RecordedEvent | null, seen: number, begun: number];

/**
 * Folds the documents of a projection from a log that is read from its end to its beginning, in bounded memory.
 *
 * Backwards one sees when a document is complete: at the first event of its first category's stream, where every
 * document begins, and nothing of it lies before that. It is folded then and there and let go, so only the events of
 * documents that are open wait in memory: those of the orders under way at one time. Where these are too many, all
 * that belongs to some 256th of the keys is put aside on disk, and then of another, and folded in the end.
 *
 * A document is left out where a stream of it does not begin with its first event, or is in doubt.
 */
export class BackwardsFold<View> {
  readonly #projection: Projection;
  readonly #viewOf: ViewOf<View>;
  readonly #bits: ReadonlyMap<Category, number>;
  readonly #capacity: number;
  readonly #open = new Map<string, OpenDocument>();
  readonly #aside = new Set<number>();
  readonly #doubted = new Set<string>();
  readonly #leftOut: string[] = [];
  #spill: SpillFile | undefined;
  #waiting = 0;

  constructor(projection: Projection, viewOf: ViewOf<View>, capacity = defaultCapacity) {
    this.#projection = projection;
    this.#viewOf = viewOf;
    this.#bits = new Map(projection.categories.map((category, index) => [category, 1 << index]));
    this.#capacity = capacity;
  }

  /** Not every event of this stream can be had. To be said before the first event of its document is taken. */
  doubt(stream: string): void {
    this.#doubted.add(stream);
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
    const begun = event.revision === 0 ? bit : 0;
    if (this.#aside.size > 0 && this.#aside.has(bucketOf(key))) {
      this.#putAside([key, wanted ? event : null, bit, begun]);
      return undefined;
    }
    const document = documentIn(this.#open, key);
    document.seen |= bit;
    document.begun |= begun;
    if (wanted) {
      document.events.push(event);
      this.#waiting += 1;
    }
    if (hasBegun(document)) {
      this.#open.delete(key);
      this.#waiting -= document.events.length;
      return this.#viewOfWhole(key, document);
    }
    if (this.#waiting > this.#capacity) this.#makeRoom(bucketOf(key));
    return undefined;
  }

  /** The documents that were put aside, once the log was read to its beginning. */
  *rest(): Generator<Past<View>, void, undefined> {
    this.#leftOut.push(...this.#open.keys());
    for (const bucket of this.#aside) {
      const documents = new Map<string, OpenDocument>();
      for (const line of this.#spill?.read(bucket) ?? []) {
        const [key, event, seen, begun] = JSON.parse(line) as SpilledLine;
        const document = documentIn(documents, key);
        document.seen |= seen;
        document.begun |= begun;
        if (event !== null) document.events.push(event);
      }
      for (const [key, document] of documents) {
        const past = this.#viewOfWhole(key, document);
        if (past !== undefined) yield past;
      }
    }
  }

  /** Keys of the documents that were left out, once all others are there. */
  leftOut(): readonly string[] {
    return this.#leftOut;
  }

  /** Frees what is on disk. */
  close(): void {
    this.#spill?.close();
    this.#spill = undefined;
  }

  /** `undefined`: it is left out. */
  #viewOfWhole(key: string, document: OpenDocument): Past<View> | undefined {
    const isWhole = hasBegun(document) && !this.#projection.streams(key).some((stream) => this.#doubted.has(stream));
    if (isWhole) return viewPast(this.#projection, this.#viewOf, document.events.reverse());
    this.#leftOut.push(key);
    return undefined;
  }

  /** From now on all of a bucket goes to disk. */
  #makeRoom(bucket: number): void {
    this.#aside.add(bucket);
    for (const [key, { events, seen, begun }] of this.#open) {
      if (bucketOf(key) !== bucket) continue;
      this.#putAside([key, null, seen, begun]);
      for (const event of events) this.#putAside([key, event, 0, 0]);
      this.#open.delete(key);
      this.#waiting -= events.length;
    }
  }

  #putAside(line: SpilledLine): void {
    this.#spill ??= new SpillFile(bucketCount);
    this.#spill.write(bucketOf(line[0]), JSON.stringify(line));
  }
}

function documentIn(documents: Map<string, OpenDocument>, key: string): OpenDocument {
  let document = documents.get(key);
  if (document === undefined) {
    document = { events: [], seen: 0, begun: 0 };
    documents.set(key, document);
  }
  return document;
}

/** Each of its streams with the first event, that of the first category too. */
function hasBegun({ seen, begun }: Met): boolean {
  return (begun & 1) === 1 && begun === seen;
}
