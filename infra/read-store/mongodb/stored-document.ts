import type {
  CollectionSpec,
  Degraded,
  DocumentWrite,
  Fields,
  FieldValue,
  IndexedDocument,
  Share,
  StoredDocument,
  SumKey,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { ObjectId } from 'mongodb';
import { checkFields, degradedText, highPart, sectionsText } from '../storable.js';

/** A document as MongoDB has it. */
export interface MongoDbDocument {
  /** Its key. */
  readonly _id: string;
  readonly partition: number;
  /** Names in order, so that equal revisions are equal to MongoDB. */
  readonly revisions: Readonly<Record<string, number>>;
  /**
   * JSON text: comes back as it was written, whatever names and characters are in it, and takes the driver a fifth of
   * the time. What queries look at is in `single` and `multiple`.
   */
  readonly sections: string;
  readonly projectedAt: string;
  /** As text, so that it can be compared; absent where it is not quarantined, so that the index holds nothing of it. */
  readonly degraded?: string | null;
  readonly single: Readonly<Record<string, FieldValue>>;
  readonly multiple: Readonly<Record<string, readonly string[]>>;
  /** Of a collection with sums: see `sums.ts`. */
  readonly shares?: readonly StoredShare[];
  /** The commit that wrote it, to tell our own write from another's with the same revisions. */
  readonly commit: ObjectId;
}

/** What a document adds to a sum, in two parts, see `highPart`. */
export interface StoredShare extends SumKey {
  readonly high: number;
  readonly low: number;
}

/** All that makes a `StoredDocument`. */
export const storedProjection = {
  partition: 1,
  revisions: 1,
  sections: 1,
  projectedAt: 1,
  degraded: 1,
} as const;

/** What a write makes of its document. */
export function documentOf(
  collection: CollectionSpec,
  partition: number,
  write: DocumentWrite,
  commit: ObjectId,
): MongoDbDocument {
  checkFields(collection, write);
  const { fields, multiple, searched = [], sums } = collection;
  const single: Record<string, FieldValue> = {};
  for (const field of Object.keys(fields)) single[field] = write.fields.single[field] ?? null;
  const sets: Record<string, readonly string[]> = {};
  for (const field of multiple) sets[field] = setOf(write.fields.multiple[field]);
  for (const field of searched) sets[field] = setOf(write.fields.multiple[field]);
  return {
    _id: write.key,
    partition,
    revisions: inOrder(write.revisions),
    sections: sectionsText(write),
    projectedAt: write.projectedAt,
    ...(write.degraded !== undefined && { degraded: degradedText(write.degraded) }),
    single,
    multiple: sets,
    ...(sums === true && { shares: (write.fields.shares ?? []).map(storedShare) }),
    commit,
  };
}

function storedShare({ owner, day, unit, name, amount }: Share): StoredShare {
  return { owner, day, unit, name, high: Math.trunc(amount / highPart), low: amount % highPart };
}

function shareOf({ owner, day, unit, name, high, low }: StoredShare): Share {
  return { owner, day, unit, name, amount: high * highPart + low };
}

function setOf(values: readonly string[] = []): readonly string[] {
  return [...new Set(values)];
}

/** The same revisions with their names in order. */
export function inOrder(revisions: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const ordered: Record<string, number> = {};
  for (const name of Object.keys(revisions).sort()) ordered[name] = revisions[name]!;
  return ordered;
}

/** A document that was read with `storedProjection`. */
export function storedDocument(document: MongoDbDocument): StoredDocument {
  return withSections(document, JSON.parse(document.sections) as Record<string, unknown>);
}

function withSections(document: MongoDbDocument, sections: Readonly<Record<string, unknown>>): StoredDocument {
  const { _id: key, partition, revisions, projectedAt, degraded } = document;
  const stored = { key, partition, revisions, sections, projectedAt };
  return typeof degraded === 'string' ? { ...stored, degraded: JSON.parse(degraded) as Degraded } : stored;
}

/** A whole document, with its fields. For audits: what cannot be read counts as empty. */
export function indexedDocument(
  { fields, multiple, searched = [], sums }: CollectionSpec,
  document: MongoDbDocument,
): IndexedDocument {
  // Anybody may have changed anything in the database.
  const { revisions, single, multiple: sets, shares = [] } = document as Partial<MongoDbDocument>;
  const legible: Fields = {
    single: Object.fromEntries(Object.keys(fields).map((field) => [field, single?.[field] ?? null])),
    multiple: Object.fromEntries([...multiple, ...searched].map((field) => [field, sets?.[field] ?? []])),
    ...(sums === true && { shares: shares.map(shareOf) }),
  };
  const whole = { ...document, revisions: revisions ?? {}, degraded: legibleDegraded(document.degraded) };
  return { ...withSections(whole, legibleSections(document.sections)), fields: legible };
}

function legibleDegraded(text: unknown): string | null {
  if (typeof text !== 'string') return null;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}

function legibleSections(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
