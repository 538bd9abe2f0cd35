import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { timestamp, type Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { DocumentWrite, ReadStore, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions } from '@waybill/shared-kernel/projection.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { foldInto, inCategoryOrder, type Draft } from './fold-document.js';

export interface ProjectionMeans {
  readonly readStore: Pick<ReadStore, 'load' | 'commit'>;
  readonly store: Pick<EventStore, 'readStream'>;
  readonly clock: Clock;
}

/** A document in memory: what was folded of it, and what the read store had when it was last seen there. */
interface OpenDraft extends Draft {
  readonly key: string;
  stored: Revisions | undefined;
  /** Category → stream of the events folded since then; empty when nothing is to be written. */
  readonly streams: Map<Category, string>;
}

/** How many documents a partition keeps in memory, unless told otherwise. */
const remembered = 1000;

/** Rounds of one write in which other projectors may win. */
const mostConflicts = 10;

/**
 * One partition of one projection, folded in memory by document and written at once. Every write is conditional on
 * the revisions the document had, so what is remembered between batches is never trusted, and two projectors of one
 * partition do no harm. Not for concurrent calls.
 */
export class PartitionProjector {
  readonly #projection: Projection;
  readonly #partition: number;
  readonly #means: ProjectionMeans;
  readonly #remembered: number;
  /** By key, those written longest ago first. */
  readonly #drafts = new Map<string, OpenDraft>();
  readonly #changed = new Set<OpenDraft>();

  constructor(projection: Projection, partition: number, means: ProjectionMeans, rememberedDocuments = remembered) {
    this.#projection = projection;
    this.#partition = partition;
    this.#means = means;
    this.#remembered = rememberedDocuments;
  }

  /** Documents that `write` would write. */
  get changed(): number {
    return this.#changed.size;
  }

  /** Folds a batch and writes it. After a failure nothing is remembered, and the same batch may come again. */
  async apply(events: readonly KnownEvent[], position: number): Promise<void> {
    await this.fold(events);
    await this.write(position);
  }

  /** Folds events of the projection's categories, in memory only: duplicates are silence, gaps are read from the log. */
  async fold(events: readonly KnownEvent[]): Promise<void> {
    try {
      const keys = events.map(this.#projection.key);
      await this.#open(events, keys);
      for (let index = 0; index < events.length; index += 1) {
        const event = events[index]!;
        const draft = this.#drafts.get(keys[index]!)!;
        const category = categoryOf(event.stream)!;
        const next = (draft.revisions[category] ?? -1) + 1;
        if (event.revision < next) continue;
        if (event.revision > next) await this.#foldFromLog(draft, category, event.stream, event.revision - 1);
        this.#foldNext(draft, category, event);
      }
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** Writes what was folded; with it the partition has applied everything up to `position`. */
  async write(position: number): Promise<void> {
    try {
      let pending = [...this.#changed];
      for (let round = 0; ; round += 1) {
        const writes = this.#writesOf(pending);
        const conflicts = new Set(await this.#commit(writes, position));
        this.#written(writes.filter(({ key }) => !conflicts.has(key)));
        if (conflicts.size === 0) break;
        if (round === mostConflicts) throw new Unavailable('read store', 'Other projectors kept winning.');
        pending = await this.#foldAgain(pending.filter((draft) => conflicts.has(draft.key)));
      }
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** Makes sure that there is a draft of each key. */
  async #open(events: readonly KnownEvent[], keys: readonly string[]): Promise<void> {
    const missing = new Set<string>();
    for (let index = 0; index < events.length; index += 1) {
      const event = events[index]!;
      const key = keys[index]!;
      if (this.#drafts.has(key) || missing.has(key)) continue;
      // A document that begins here can hardly be in the store; if it is, the conditional write says so.
      if (event.revision === 0 && categoryOf(event.stream) === this.#projection.categories[0])
        this.#begin(key, undefined);
      else missing.add(key);
    }
    if (missing.size === 0) return;
    const found = await this.#means.readStore.load(this.#projection.collection, [...missing]);
    for (const document of found) this.#begin(document.key, document);
    for (const key of missing) if (!this.#drafts.has(key)) this.#begin(key, undefined);
  }

  #begin(key: string, document: StoredDocument | undefined): OpenDraft {
    const draft: OpenDraft = {
      key,
      stored: document?.revisions,
      revisions: { ...document?.revisions },
      sections: { ...document?.sections },
      streams: new Map(),
    };
    this.#drafts.set(key, draft);
    return draft;
  }

  #foldNext(draft: OpenDraft, category: Category, event: KnownEvent): void {
    foldInto(this.#projection, draft, category, event);
    draft.streams.set(category, event.stream);
    this.#changed.add(draft);
  }

  async #foldFromLog(draft: OpenDraft, category: Category, stream: string, upTo: number): Promise<void> {
    const from = (draft.revisions[category] ?? -1) + 1;
    for await (const event of readWholeStream(this.#means.store, stream, from)) {
      if (event.revision > upTo) return;
      this.#foldNext(draft, category, upcast(event));
    }
  }

  #writesOf(drafts: readonly OpenDraft[]): readonly DocumentWrite[] {
    const projectedAt = timestamp(this.#means.clock);
    return drafts.map((draft) => {
      const { revisions, sections } = inCategoryOrder(this.#projection, draft);
      const fields = this.#projection.fields(sections);
      return { key: draft.key, expected: draft.stored, revisions, sections, fields, projectedAt };
    });
  }

  #commit(writes: readonly DocumentWrite[], position: number): Promise<readonly string[]> {
    return this.#means.readStore.commit({
      collection: this.#projection.collection,
      partition: this.#partition,
      writes,
      position,
    });
  }

  #written(writes: readonly DocumentWrite[]): void {
    for (const { key, revisions } of writes) {
      const draft = this.#drafts.get(key)!;
      draft.stored = revisions;
      draft.streams.clear();
      this.#changed.delete(draft);
      this.#drafts.delete(key);
      this.#drafts.set(key, draft);
    }
    for (const [key, draft] of this.#drafts) {
      if (this.#drafts.size <= this.#remembered) return;
      if (!this.#changed.has(draft)) this.#drafts.delete(key);
    }
  }

  /** Somebody else wrote these documents: takes them as they are now and folds what they lack, from the log. */
  async #foldAgain(lost: readonly OpenDraft[]): Promise<OpenDraft[]> {
    const keys = lost.map((draft) => draft.key);
    const found = await this.#means.readStore.load(this.#projection.collection, keys);
    const documents = new Map(found.map((document) => [document.key, document]));
    const again: OpenDraft[] = [];
    for (const { key, streams, revisions } of lost) {
      this.#changed.delete(this.#drafts.get(key)!);
      const draft = this.#begin(key, documents.get(key));
      for (const [category, stream] of streams) {
        await this.#foldFromLog(draft, category, stream, revisions[category]!);
      }
      if (this.#changed.has(draft)) again.push(draft);
    }
    return again;
  }

  #forget(): void {
    this.#drafts.clear();
    this.#changed.clear();
  }
}
