import { DocumentNotStorable, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import type {
  Degraded,
  DocumentWrite,
  StoredDocument,
  DocumentStore,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import {
  isStreamFault,
  markedFor,
  whyNotShown,
  type StreamFault,
  type StreamInDoubt,
} from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { CannotApply, foldRecorded, inCategoryOrder, type Draft } from '../read-models/fold-document.js';
import { foldOrQuarantine, tellQuarantine } from '../quarantine/fold-or-quarantine.js';

export interface ProjectionDependencies {
  readonly readStore: DocumentStore;
  readonly store: StreamReader;
  readonly clock: WallClock;
  /** Called with each document that is quarantined. */
  readonly quarantined?: ReportQuarantine | undefined;
}

/** A document in memory: what was folded of it, and what the read store had when it was last seen there. */
interface OpenDraft extends Draft {
  readonly key: string;
  stored: Pick<StoredDocument, 'revisions' | 'degraded'> | undefined;
  /** Set: it is quarantined, and nothing more is folded into it; `seen` goes on. */
  degraded: Degraded | undefined;
  /** Category → stream of the events taken since then; empty when nothing is to be written. */
  readonly streams: Map<Category, string>;
}

/** How many documents a partition keeps in memory, by default. */
const remembered = 1000;

/** How many write conflicts with other projectors one write may meet. */
const mostConflicts = 10;

/**
 * One partition of one projection. It folds a batch in memory by document and writes the documents at once. Every write
 * is conditional on the revisions that the document had, so memory between batches is never trusted, and two projectors
 * of one partition do no harm. Not for concurrent calls.
 *
 * A passing fault (a store is down, an event is for a newer program) fails the batch. An event that cannot be applied,
 * or that makes a document which the read store can never hold, quarantines that document alone: the document as it was
 * before the event is written, degraded, before the position moves. For later events only their revisions are written,
 * conditionally too: the write confirms that the document still is quarantined.
 */
export class PartitionProjector {
  readonly #projection: Projection;
  readonly #partition: number;
  readonly #dependencies: ProjectionDependencies;
  readonly #remembered: number;
  /** By key, those written longest ago first. */
  readonly #drafts = new Map<string, OpenDraft>();
  readonly #changed = new Set<OpenDraft>();

  constructor(
    projection: Projection,
    partition: number,
    dependencies: ProjectionDependencies,
    rememberedDocuments = remembered,
  ) {
    this.#projection = projection;
    this.#partition = partition;
    this.#dependencies = dependencies;
    this.#remembered = rememberedDocuments;
  }

  /** Documents that `write` would write. */
  get changed(): number {
    return this.#changed.size;
  }

  /** Folds a batch and writes it. After a failure it remembers nothing, and the same batch may come again. */
  async apply(events: readonly RecordedEvent[], position: LogPosition): Promise<void> {
    await this.fold(events);
    await this.write(position);
  }

  /**
   * Folds events of the projection's categories, in memory but for what must be quarantined: duplicates are no-ops,
   * gaps are read from the log.
   */
  async fold(events: readonly RecordedEvent[]): Promise<void> {
    try {
      const keys = events.map(this.#projection.key);
      await this.#open(events, keys);
      for (let index = 0; index < events.length; index += 1) {
        const event = events[index]!;
        const draft = this.#drafts.get(keys[index]!)!;
        const category = categoryOf(event.stream)!;
        const last = lastTaken(draft, category);
        if (event.revision <= last) continue;
        try {
          if (event.revision > last + 1) await this.#takeFromLog(draft, category, event.stream, event.revision - 1);
          this.#take(draft, category, event);
        } catch (error) {
          if (!standsInTheWay(error)) throw error;
          await this.#settle(draft, event);
        }
      }
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /**
   * Quarantines the documents of these streams, each as far as it can be folded. Where there is none yet, one is made to
   * say so.
   */
  async doubt(streams: readonly StreamInDoubt[]): Promise<void> {
    try {
      for (const { stream, fault, ...address } of streams) {
        const key = this.#projection.key({ stream, ...address });
        const draft = this.#drafts.get(key) ?? this.#begin(key, undefined);
        if (this.#changed.has(draft)) this.#doubtAsFolded(draft, fault);
        else await this.#settle(draft, undefined, fault);
      }
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** What is in hand of it the log may not give again. */
  #doubtAsFolded(draft: OpenDraft, fault: StreamFault): void {
    if (draft.degraded !== undefined) return;
    draft.degraded = markedFor(fault, timestamp(this.#dependencies.clock));
    tellQuarantine(this.#projection, draft.key, draft.degraded, this.#dependencies);
  }

  /** Writes what was folded; with it the partition has applied everything up to `position`. */
  async write(position: LogPosition): Promise<void> {
    try {
      let lost = await this.#commit([...this.#changed], position);
      for (let round = 0; lost.length > 0; round += 1) {
        if (round === mostConflicts)
          throw new Unavailable('read store', 'There were too many conflicts with other projectors.');
        lost = await this.#commit(await this.#foldAgain(lost), position);
      }
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** Makes sure that there is a draft of each key. */
  async #open(events: readonly RecordedEvent[], keys: readonly string[]): Promise<void> {
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
    const found = await this.#dependencies.readStore.load(this.#projection.collection, [...missing]);
    for (const document of found) this.#begin(document.key, document);
    for (const key of missing) if (!this.#drafts.has(key)) this.#begin(key, undefined);
  }

  #begin(key: string, document: StoredDocument | undefined): OpenDraft {
    const draft: OpenDraft = {
      key,
      stored: document,
      degraded: document?.degraded,
      revisions: { ...document?.revisions },
      sections: { ...document?.sections },
      streams: new Map(),
    };
    this.#drafts.set(key, draft);
    return draft;
  }

  /** Takes the event that comes next in its stream. */
  #take(draft: OpenDraft, category: Category, event: RecordedEvent): void {
    if (draft.degraded === undefined) {
      foldRecorded(this.#projection, draft, category, event);
      draft.streams.set(category, event.stream);
      this.#changed.add(draft);
    } else {
      this.#pass(draft, draft.degraded, event.stream, event.revision);
    }
  }

  /** Notes revisions that are not folded, of a quarantined document. */
  #pass(draft: OpenDraft, degraded: Degraded, stream: string, revision: number): void {
    const category = categoryOf(stream)!;
    draft.degraded = { ...degraded, seen: { ...degraded.seen, [category]: revision } };
    draft.streams.set(category, stream);
    this.#changed.add(draft);
  }

  async #takeFromLog(draft: OpenDraft, category: Category, stream: string, upTo: number): Promise<void> {
    for await (const event of readWholeStream(this.#dependencies.store, stream, lastTaken(draft, category) + 1)) {
      if (event.revision > upTo) break;
      this.#take(draft, category, event);
    }
    await this.#requireShown(draft, category, stream, upTo);
  }

  async #requireShown(draft: OpenDraft, category: Category, stream: string, revision: number): Promise<void> {
    if (lastTaken(draft, category) < revision) throw await whyNotShown(this.#dependencies.store, stream, revision);
  }

  /**
   * Writes drafts, and moves the position if all go in. Those that cannot be written are settled, each on its own, and
   * the others written without them. Answers with those that another has written since they were read.
   */
  async #commit(drafts: readonly OpenDraft[], position: LogPosition): Promise<readonly OpenDraft[]> {
    const { collection } = this.#projection;
    for (let writable = drafts; ;) {
      const writes: DocumentWrite[] = [];
      let refused: readonly OpenDraft[] = this.#addWrites(writable, writes);
      if (refused.length === 0) {
        try {
          const batch = { collection, partition: this.#partition, writes, position };
          const conflicts = new Set(await this.#dependencies.readStore.commit(batch));
          this.#written(writes.filter(({ key }) => !conflicts.has(key)));
          return writable.filter(({ key }) => conflicts.has(key));
        } catch (error) {
          if (!(error instanceof DocumentNotStorable)) throw error;
          refused = writable.filter(({ key, degraded }) => key === error.key && degraded === undefined);
          if (refused.length === 0) throw error;
        }
      }
      const settled: OpenDraft[] = [];
      for (const draft of refused) settled.push(await this.#settle(draft));
      writable = [...writable.filter((draft) => !refused.includes(draft)), ...settled.filter(this.#isChanged)];
    }
  }

  readonly #isChanged = (draft: OpenDraft): boolean => this.#changed.has(draft);

  /** Adds the writes of drafts; answers with those of which none can be made. */
  #addWrites(drafts: readonly OpenDraft[], writes: DocumentWrite[]): readonly OpenDraft[] {
    const projectedAt = timestamp(this.#dependencies.clock);
    const troubled: OpenDraft[] = [];
    for (const draft of drafts) {
      const { revisions, sections } = inCategoryOrder(this.#projection, draft);
      const { key, stored, degraded } = draft;
      try {
        const fields = this.#projection.fields(sections);
        writes.push({
          key,
          expected: stored?.revisions,
          revisions,
          sections,
          fields,
          projectedAt,
          ...(stored?.degraded !== undefined && { expectedDegraded: stored.degraded }),
          ...(degraded !== undefined && { degraded }),
        });
      } catch (error) {
        if (degraded !== undefined) throw error;
        troubled.push(draft);
      }
    }
    return troubled;
  }

  #written(writes: readonly DocumentWrite[]): void {
    for (const { key, revisions, degraded } of writes) {
      const draft = this.#drafts.get(key)!;
      draft.stored = { revisions, ...(degraded !== undefined && { degraded }) };
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

  /** Another projector wrote these documents: reads them as they are now, and what they lack from the log. */
  async #foldAgain(lost: readonly OpenDraft[]): Promise<OpenDraft[]> {
    const keys = lost.map((draft) => draft.key);
    const found = await this.#dependencies.readStore.load(this.#projection.collection, keys);
    const documents = new Map(found.map((document) => [document.key, document]));
    const again: OpenDraft[] = [];
    for (const before of lost) {
      this.#changed.delete(before);
      const draft = this.#begin(before.key, documents.get(before.key));
      try {
        for (const [category, stream] of before.streams) {
          await this.#takeFromLog(draft, category, stream, lastTaken(before, category));
        }
        again.push(draft);
      } catch (error) {
        if (!standsInTheWay(error)) throw error;
        again.push(await this.#settle(before));
      }
    }
    return again.filter(this.#isChanged);
  }

  /**
   * A draft cannot be written, or not be folded on with `event`: see `foldOrQuarantine`. Answers with its successor.
   */
  async #settle(draft: OpenDraft, event?: RecordedEvent, doubted?: StreamFault): Promise<OpenDraft> {
    const { key, streams } = draft;
    const known = new Map(Array.from(streams, ([category, stream]) => [stream, lastTaken(draft, category)]));
    if (event !== undefined) known.set(event.stream, event.revision);
    this.#changed.delete(this.#drafts.get(key)!);
    const name = { projection: this.#projection, key, partition: this.#partition };
    const settled = this.#begin(key, await foldOrQuarantine(name, known, this.#dependencies, doubted));
    for (const [stream, revision] of known) {
      // Where another has quarantined it, that one may have seen less.
      if (settled.degraded === undefined || revision <= lastTaken(settled, categoryOf(stream)!)) continue;
      this.#pass(settled, settled.degraded, stream, revision);
    }
    return settled;
  }

  #forget(): void {
    this.#drafts.clear();
    this.#changed.clear();
  }
}

/** The last revision that was folded or passed by. */
function lastTaken({ revisions, degraded }: OpenDraft, category: Category): number {
  return Math.max(revisions[category] ?? -1, degraded?.seen[category] ?? -1);
}

/** Whether the fault is of one document and stays, however often it is tried. */
function standsInTheWay(error: unknown): boolean {
  return error instanceof CannotApply || isStreamFault(error);
}
