import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import type { CutStream } from '@waybill/shared-kernel/ports/read-store.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { CannotApply, emptyDraft, foldRecorded, type Draft } from '../read-models/fold-document.js';
import { bucketCount, bucketOf } from '../replay/bucket.js';
import { folds, type AuditedProjection } from './audited-document.js';
import { SpillFile } from '../replay/spill-file.js';

/** What the log has of a stream that is folded into a section. */
export interface FoldedStream {
  readonly stream: string;
  /** Positions of its first and its last event. */
  readonly first: number;
  last: number;
  /** Revision of its last event. */
  revision: number;
  /** Revision of the first event that does not follow the one before it, or is the first and not of revision 0. */
  cutAt?: number;
}

/** A document folded from the log, its sections in any order. */
export interface FoldedDocument extends Draft {
  readonly partition: number;
  readonly streams: { [section in Category]?: FoldedStream };
  /** Sections that stand still before an event that cannot be applied. */
  readonly stuck: { [section in Category]?: true };
}

/** Position of the first event of a document. */
export function firstPosition({ streams }: FoldedDocument): number {
  return Math.min(...Object.values(streams).map(({ first }) => first));
}

/** A stream of a document that does not begin with its first event, or has a gap, where the projection folds all of them. */
export function cutIn({ types }: AuditedProjection, { streams }: FoldedDocument): CutStream | undefined {
  const cut = types === undefined ? Object.values(streams).find(({ cutAt }) => cutAt !== undefined) : undefined;
  return cut && { stream: cut.stream, firstRevision: cut.cutAt ?? null };
}

/** Documents that are held in memory unless said otherwise: some 20 MB of orders. */
const defaultCapacity = 10_000;

type SpilledLine = readonly [key: string, part: FoldedDocument | null, late: RecordedEvent | null];

/**
 * Folds a log of any length, event by event, into the documents of one projection, in bounded memory: the documents
 * touched last are in memory, the others are put aside on disk as they were then. (Known to databases as hybrid hash
 * aggregation.)
 *
 * Nothing is ever looked up on disk. Sections do not depend on one another, so when a document is touched again it
 * simply begins anew and its parts are put together at the end; and an event that goes on with a section that was put
 * aside is put aside after it. At the end bucket after bucket, each a 256th of the keys, is read back and put
 * together. So a log is read once; a document is written and read at most once where its events lie close together in
 * the log, as those of an order do, and an event at most once where they do not.
 */
export class DocumentFold {
  readonly #projection: AuditedProjection;
  readonly #categories: ReadonlySet<Category>;
  readonly #generation: number;
  // Two generations make a cheap "least recently touched": when the young one is full, the old one is put aside.
  #young = new Map<string, FoldedDocument>();
  #old = new Map<string, FoldedDocument>();
  #spill: SpillFile | undefined;

  constructor(projection: AuditedProjection, capacity = defaultCapacity) {
    this.#projection = projection;
    this.#categories = new Set(projection.categories);
    this.#generation = Math.max(1, capacity >> 1);
  }

  /** Folds the next event of the log; events of categories that the projection does not fold, pass by. */
  add(event: RecordedEvent): void {
    const category = categoryOf(event.stream);
    if (category === undefined || !this.#categories.has(category) || !folds(this.#projection, event)) return;
    const key = this.#projection.key(event);
    const document = this.#touch(key);
    if (this.#spill !== undefined && event.revision > 0 && document?.streams[category] === undefined) {
      this.#spill.write(bucketOf(key), JSON.stringify([key, null, event] satisfies SpilledLine));
      return;
    }
    this.#foldInto(document ?? this.#begin(key, event), category, event);
  }

  /** Every document, once, bucket by bucket (see `bucketOf`); one bucket is in memory at a time. Ends the fold. */
  *buckets(): Generator<ReadonlyMap<string, FoldedDocument>, void, undefined> {
    const inMemory = Array.from({ length: bucketCount }, (): [string, FoldedDocument][] => []);
    for (const generation of [this.#old, this.#young]) {
      for (const entry of generation) inMemory[bucketOf(entry[0])]!.push(entry);
    }
    this.#old = new Map();
    this.#young = new Map();
    for (const [bucket, rest] of inMemory.entries()) {
      inMemory[bucket] = [];
      const documents = new Map<string, FoldedDocument>();
      for (const line of this.#spill?.read(bucket) ?? []) this.#putBack(documents, JSON.parse(line) as SpilledLine);
      for (const [key, part] of rest) this.#putBack(documents, [key, part, null]);
      yield documents;
    }
  }

  /** Frees what is on disk. */
  close(): void {
    this.#spill?.close();
    this.#spill = undefined;
  }

  #touch(key: string): FoldedDocument | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#keep(key, old);
    return old;
  }

  #begin(key: string, event: RecordedEvent): FoldedDocument {
    const document = newDocument(event);
    this.#keep(key, document);
    return document;
  }

  #keep(key: string, document: FoldedDocument): void {
    if (this.#young.size >= this.#generation) this.#putOldAside();
    this.#young.set(key, document);
  }

  #putOldAside(): void {
    if (this.#old.size > 0) {
      this.#spill ??= new SpillFile(bucketCount);
      for (const [key, part] of this.#old) {
        this.#spill.write(bucketOf(key), JSON.stringify([key, part, null] satisfies SpilledLine));
      }
    }
    this.#old = this.#young;
    this.#young = new Map();
  }

  #foldInto(document: FoldedDocument, category: Category, event: RecordedEvent): void {
    if (document.stuck[category] === undefined) {
      try {
        foldRecorded(this.#projection, document, category, event);
      } catch (error) {
        if (!(error instanceof CannotApply)) throw error;
        document.stuck[category] = true;
      }
    }
    const { stream, position, revision } = event;
    const folded = (document.streams[category] ??= { stream, first: position, last: position, revision: noStream });
    if (revision > folded.revision + 1) folded.cutAt ??= revision;
    folded.revision = revision;
    folded.last = position;
  }

  /** Adds what was put aside, or was in memory to the end, to what is already there of its key. */
  #putBack(documents: Map<string, FoldedDocument>, [key, part, late]: SpilledLine): void {
    const document = documents.get(key);
    if (part !== null) {
      if (document === undefined) documents.set(key, part);
      else unite(document, part);
    }
    if (late !== null) {
      const goesOn = document ?? newDocument(late);
      if (document === undefined) documents.set(key, goesOn);
      this.#foldInto(goesOn, categoryOf(late.stream)!, late);
    }
  }
}

function newDocument(event: RecordedEvent): FoldedDocument {
  return { ...emptyDraft(), partition: partitionOf(event.partitionKey), streams: {}, stuck: {} };
}

/** No section is in both. */
function unite(document: FoldedDocument, part: FoldedDocument): void {
  Object.assign(document.sections, part.sections);
  Object.assign(document.revisions, part.revisions);
  Object.assign(document.streams, part.streams);
  Object.assign(document.stuck, part.stuck);
}
