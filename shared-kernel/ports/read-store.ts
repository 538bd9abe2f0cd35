import type { LogPosition } from '../subscriptions/log-position.js';
import type { CollectionVersions } from './collection-versions.js';

/**
 * A document. The events of one stream make each section; `revisions` says up to which revision of its stream a section
 * is folded. Values derived from sections are in `fields`, or computed on reading.
 */
export interface StoredDocument {
  readonly key: string;
  /** The partition its events come from. */
  readonly partition: number;
  /** Section name → revision applied (absent: none). */
  readonly revisions: Readonly<Record<string, number>>;
  /** Section name → state, JSON. */
  readonly sections: Readonly<Record<string, unknown>>;
  /** When it was written last, RFC 3339 UTC. Not part of what audits and rebuilds compare. */
  readonly projectedAt: string;
  /** Set while the document is quarantined: it is as it was before an event that could not be applied. */
  readonly degraded?: Degraded;
}

/** Why a document is quarantined, and what waits until it is released. Times are RFC 3339 UTC. */
export type Degraded = DegradedBy & {
  readonly since: string;
  /** When it was last tried, and the fault: for operators. */
  readonly triedAt: string;
  readonly error: string;
  /** Section name → last revision seen in the log. Events after the document's `revisions` wait. */
  readonly seen: Readonly<Record<string, number>>;
};

/** By an event, or because events of a stream are gone from the event store. */
export type DegradedBy =
  { readonly event: FailedEvent; readonly cut?: never } | { readonly cut: CutStream; readonly event?: never };

/** A stream of a document of which events are gone. */
export interface CutStream {
  readonly stream: string;
  /** Revision of the first event that is left; null: none is. */
  readonly firstRevision: number | null;
}

/** The stream that quarantined a document. */
export function troubledStream({ event, cut }: DegradedBy): string {
  return (event ?? cut).stream;
}

/** The event that could not be applied. */
export interface FailedEvent {
  /** Empty, like the type, where it could not even be read. */
  readonly id: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly type: string;
}

/** A document that is quarantined. */
export interface QuarantinedDocument extends StoredDocument {
  readonly degraded: Degraded;
}

export function isQuarantined(document: StoredDocument): document is QuarantinedDocument {
  return document.degraded !== undefined;
}

export type FieldValue = string | number | null;

/** Values that queries look at, derived from a document when it is written. */
export interface Fields {
  readonly single: Readonly<Record<string, FieldValue>>;
  /** Each a set of strings, such as the merchants of an order or the words by which it is searched. */
  readonly multiple: Readonly<Record<string, readonly string[]>>;
  /** What it adds to the sums of its collection, in no order; at most one to each. Absent where the collection has none. */
  readonly shares?: readonly Share[];
}

/** The key of a sum, such as the orders of all merchants (owner `''`) delivered on a day, by currency. */
export interface SumKey {
  readonly owner: string;
  readonly day: string;
  readonly unit: string;
  readonly name: string;
}

/** What a document adds to a sum: one to its count, and an amount, a safe integer. */
export interface Share extends SumKey {
  readonly amount: number;
}

/** Exact, however large. */
export interface Sum {
  readonly count: number;
  readonly total: bigint;
}

/** A stored sum that differs from the documents. */
export interface WrongSum extends SumKey {
  readonly kept: Sum;
  readonly counted: Sum;
}

export interface SumQuery {
  readonly owner: string;
  /** Bounds of the day, inclusive. */
  readonly from: string;
  readonly to: string;
}

/**
 * A document with the values by which queries find it; the sets of `fields.multiple` come in no order. Made for
 * audits: what cannot be read of a damaged document counts as empty.
 */
export interface IndexedDocument extends StoredDocument {
  readonly fields: Fields;
}

/** A collection and the queries it must answer from an index. A changed spec needs a new version. */
export interface CollectionSpec {
  readonly name: string;
  readonly version: number;
  /** Single-valued fields, text or number, that queries filter by. */
  readonly fields: Readonly<Record<string, 'text' | 'number'>>;
  /** Multi-valued text fields that queries ask for a whole value: `contains`. */
  readonly multiple: readonly string[];
  /** Multi-valued text fields that queries ask for the beginnings of values: `startsWith`. */
  readonly searched?: readonly string[];
  /**
   * Single-valued text field by which lists are ordered, newest (greatest) first; ties by key, greatest first. Both by
   * code point. A document where it is null is in no list.
   */
  readonly order: string;
  /** Lists of single-valued fields; each becomes an index followed by `order` and the key. */
  readonly indexes: readonly (readonly string[])[];
  /** What `groups` is asked; each becomes an index that answers it alone. */
  readonly groups?: readonly GroupSpec[];
  /** Whether it keeps the sums of its documents' shares. */
  readonly sums?: true;
}

export interface DocumentWrite {
  readonly key: string;
  /** The document's `revisions` as it was read, `undefined` if there was none: the write is conditional on it. */
  readonly expected: Readonly<Record<string, number>> | undefined;
  /** The document's `degraded` as it was read: the write is conditional on that too. */
  readonly expectedDegraded?: Degraded;
  readonly revisions: Readonly<Record<string, number>>;
  readonly sections: Readonly<Record<string, unknown>>;
  readonly fields: Fields;
  readonly projectedAt: string;
  /** Notes the document as quarantined; absent: it is not, or no longer. */
  readonly degraded?: Degraded;
}

/** Bytes of JSON (UTF-8) that the sections of a document may have: with its fields it then fits into every store. */
export const largestSections = 8 * 1024 * 1024;

export interface DocumentBatch {
  readonly collection: CollectionSpec;
  readonly partition: number;
  readonly writes: readonly DocumentWrite[];
  /** The partition has applied everything up to here once all writes of the batch are in. */
  readonly position: LogPosition;
}

export interface ListQuery {
  /** Single-valued fields, equal to. */
  readonly equal?: Readonly<Record<string, FieldValue>>;
  /** Fields of `multiple` that contain the value. */
  readonly contains?: Readonly<Record<string, string>>;
  /** Fields of `searched` of which some value starts with each of these. */
  readonly startsWith?: Readonly<Record<string, readonly string[]>>;
  /** Bounds of the order field, both inclusive. */
  readonly from?: string;
  readonly to?: string;
  /** Only documents after this place in the list: keyset paging. */
  readonly after?: Place;
  readonly limit: number;
}

/** A place in a list: that of a document. */
export interface Place {
  readonly order: string;
  readonly key: string;
}

/** The most documents that are looked at for a page if no index answers its whole query. */
export const mostCandidates = 10_000;

export interface PageQuery extends ListQuery {
  /** In place of `mostCandidates`. */
  readonly candidates?: number;
}

export interface ListPage {
  readonly documents: readonly StoredDocument[];
  /** Where the list goes on; of a page that is short, or empty, as so many candidates were looked at, too. */
  readonly next?: Place;
}

export interface GroupSpec {
  /** Single-valued text field that holds the group (a day); documents where it is null do not count. */
  readonly by: string;
  /** Second group, `null` is a group of its own. */
  readonly and: string;
  /** Number field to sum, whole numbers; null counts as 0. */
  readonly sum: string;
}

export interface GroupQuery extends GroupSpec {
  /** Bounds of `by`, inclusive. */
  readonly from: string;
  readonly to: string;
}

export interface Group {
  readonly by: string;
  readonly and: FieldValue;
  readonly count: number;
  /** Exact, however large. */
  readonly sum: bigint;
}

/** Category → a position after which one partition has none of it, as far as somebody looked; one that is not there has none. */
export type CategoryHeads = Readonly<Record<string, number>>;

/** The checkpoint of the relay: the broker has everything up to it. */
export interface RelayCheckpoint extends LogPosition {
  /** Partition → its last events up to there: asked for by consumers of the release before this one. */
  readonly heads: Readonly<Record<number, CategoryHeads>>;
}

/** Has a collection be there, for those who read it as for those who write it. */
export interface Collections {
  /** Makes what a collection needs; again is a no-op. */
  declare(collection: CollectionSpec): Promise<void>;
}

/** For who decides that nobody reads or writes a collection any more. */
export interface DroppableCollections extends Collections {
  /** Drops a collection's documents and positions; again is a no-op. */
  drop(collection: CollectionSpec): Promise<void>;
}

/** Documents by their keys, each whole, as it was before or after a write. */
export interface DocumentReader {
  /** The documents of these keys that exist, in no order. */
  load(collection: CollectionSpec, keys: readonly string[]): Promise<readonly StoredDocument[]>;
}

/**
 * Documents as who folds events into them reads and writes them.
 *
 * - A write succeeds only if the document still has the `expected` revisions and `expectedDegraded`. The other writes
 *   of the batch succeed all the same, and `commit` answers with the keys of those that did not.
 * - A document that it can never hold makes `commit` reject with `DocumentNotStorable`, the position unmoved: sections
 *   that are larger than `largestSections` or no JSON, values of fields that are not of the spec's kind.
 * - The partition's position moves when all writes of the batch are in and never before them; never backwards by
 *   `commit`.
 */
export interface DocumentStore extends DocumentReader {
  /** Keys of writes that met other revisions than expected; empty: all is in, and the position has moved. */
  commit(batch: DocumentBatch): Promise<readonly string[]>;
}

/** Documents in the order of their collection, that of all lists. */
export interface DocumentLists {
  /**
   * Of a query that an index answers whole; throws for any other. Followed by `after`, it gives every document that stood
   * still exactly once.
   */
  list(collection: CollectionSpec, query: ListQuery): Promise<readonly StoredDocument[]>;
}

/** How many documents there are of which kind. */
export interface DocumentGroups {
  /** Groups by `by`, then `and`, rising, null first. */
  groups(collection: CollectionSpec, query: GroupQuery): Promise<readonly Group[]>;
}

/**
 * Documents as clients ask for them.
 *
 * - A page looks at no document that its index does not name, and at no more than its candidates. Followed by `after`,
 *   pages give every document that stood still exactly once.
 * - The sums of a collection are those of its documents: they change in the same write, or are counted when asked for.
 */
export interface DocumentQueries extends DocumentReader, DocumentLists {
  /** Of any query for whose list there is an index, whatever else it asks of the documents there. */
  page(collection: CollectionSpec, query: PageQuery): Promise<ListPage>;
  /** The sums that are not empty, of a collection that has them: by day, unit and name, rising. */
  sums(collection: CollectionSpec, query: SumQuery): Promise<readonly (Omit<SumKey, 'owner'> & Sum)[]>;
  /** Number of documents. */
  count(collection: CollectionSpec): Promise<number>;
}

/** The documents that are quarantined. */
export interface QuarantinedDocuments {
  /** By key, after `after` (exclusive), at most `limit`; those without a place in lists too. */
  quarantined(
    collection: CollectionSpec,
    after: string | undefined,
    limit: number,
  ): Promise<readonly QuarantinedDocument[]>;
}

/** How far one partition of a collection has come; moved by `DocumentStore.commit`, and never before its writes are in. */
export interface PartitionCheckpoints {
  /** What the partition has applied, `logBeginning` at first. */
  position(collection: CollectionSpec, partition: number): Promise<LogPosition>;
}

/** How far a collection has come, with the promise of `PartitionCheckpoints`. */
export interface CollectionCheckpoints {
  /** What each partition has applied, by number. */
  positions(collection: CollectionSpec): Promise<readonly LogPosition[]>;
}

/** A collection as it is stored, damage included: for audits. */
export interface AuditableDocuments {
  /** Every document by key, after `after` (exclusive), at most `limit`, with its fields as the indexes hold them. */
  scan(collection: CollectionSpec, after: string | undefined, limit: number): Promise<readonly IndexedDocument[]>;
  /** The sums that are not those of the documents, both as they are in one moment. */
  wrongSums(collection: CollectionSpec): Promise<readonly WrongSum[]>;
}

/** Which versions of a collection there are. Of several who write those of a name after the same revision, one wins. */
export interface CollectionVersionStore {
  /** Which versions of the collections of a name there are; `undefined` before anybody wrote it. */
  versions(name: string): Promise<CollectionVersions | undefined>;
  /** Replaces those of the revision before. False: another writer was first, and nothing is written. */
  saveVersions(name: string, versions: CollectionVersions): Promise<boolean>;
}

/** How far the relay has come. */
export interface RelayCheckpoints {
  /** The relay's checkpoint, the beginning where it has none. */
  relayCheckpoint(): Promise<RelayCheckpoint>;
  /** Never moves backwards: a stored position that is as far or further stays as it is. */
  saveRelayCheckpoint(checkpoint: RelayCheckpoint): Promise<void>;
  /** As `resetConsumerPosition`. */
  resetRelayCheckpoint(expected: LogPosition, checkpoint: RelayCheckpoint): Promise<boolean>;
}

/** Notes how far a consumer with side effects (the process manager) has come. */
export interface ConsumerProgress {
  /** Never backwards: where the present one is as far or further, that stays, whole. */
  saveConsumerPosition(consumer: string, partition: number, position: LogPosition): Promise<void>;
}

/** How far consumers with side effects have come in their partitions. */
export interface ConsumerCheckpoints extends ConsumerProgress {
  /** What the consumer has done of a partition; `logBeginning` at first. */
  consumerPosition(consumer: string, partition: number): Promise<LogPosition>;
  /**
   * Sets it to `position`, backwards too, if it still is at `expected.through`: for a position that turned out to
   * belong to another log. False: it has moved, and nothing is changed.
   */
  resetConsumerPosition(
    consumer: string,
    partition: number,
    expected: LogPosition,
    position: LogPosition,
  ): Promise<boolean>;
}

/** The log that documents and checkpoints were made from. */
export interface LogIdentityStore {
  /** The identity of the log that all this was made from (`log-identity.ts`); `undefined` until it is noted. */
  madeFrom(): Promise<string | undefined>;
  /** Notes the identity once: an identity noted before stays, unless it is `insteadOf`. */
  noteMadeFrom(log: string, insteadOf?: string): Promise<void>;
}

/** Tells whether an answer that was kept still stands. */
export interface ChangeCounter {
  /**
   * Equal answers mean that nothing was committed between the two questions, by anyone, so that what was read after
   * the first still stands. Cheap; an adapter that cannot know gives another answer each time.
   */
  changeCounter(): number;
}

/**
 * Documents, checkpoints and what belongs to them. An adapter plays every role above and keeps what each promises, checked
 * by `read-store.contract.ts`; whoever uses it asks for the roles that it needs.
 */
export interface ReadStore
  extends
    DroppableCollections,
    DocumentStore,
    DocumentQueries,
    DocumentGroups,
    QuarantinedDocuments,
    PartitionCheckpoints,
    CollectionCheckpoints,
    AuditableDocuments,
    CollectionVersionStore,
    RelayCheckpoints,
    ConsumerCheckpoints,
    LogIdentityStore,
    ChangeCounter {
  close(): Promise<void>;
}
