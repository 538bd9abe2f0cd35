import type { KnownEvent } from './events/upcast.js';
import type { RecordedEvent } from './message.js';
import type { CollectionSpec, Fields } from './ports/read-store.js';
import type { Category } from './stream.js';

/** Section name → its state, as JSON holds it. A section is named after the category of the stream that writes it. */
export type Sections = { readonly [section in Category]?: unknown };

/** Section name → revision of its stream up to which it has been folded. */
export type Revisions = { readonly [section in Category]?: number };

/** What is known of any event of the log, whatever its payload. */
export type Addressed = Pick<RecordedEvent, 'stream' | 'partitionKey'>;

/**
 * A read model as pure functions. A document folds streams of one partition key only, each into the section named
 * after the stream's category, in revision order; sections never look at one another, so any interleaving of streams
 * converges to the same document. What is derived from several sections (a status) is computed in `fields` and in the
 * model's view. Everything here is JSON in, JSON out.
 *
 * A fold is total: it takes the events of a stream with any of them missing, because the past is asked for "as it had
 * happened" and "as it had been recorded", and imported history happened in an order of its own.
 */
export interface Projection {
  readonly collection: CollectionSpec;
  /** The categories it folds; events of others pass it by. A document begins with the first event of the first one. */
  readonly categories: readonly Category[];
  /**
   * Key of the document an event belongs to. Known without the payload, so that an event whose payload is broken still
   * has one.
   */
  readonly key: (event: Addressed) => string;
  /** The streams that the document of a key folds: what it is folded from again. */
  readonly streams: (key: string) => readonly string[];
  /** The section after the event; `undefined` is a section that no event has touched. */
  readonly fold: (section: unknown, event: KnownEvent) => unknown;
  readonly fields: (sections: Sections) => Fields;
}
