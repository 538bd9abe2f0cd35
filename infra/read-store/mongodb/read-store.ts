import type { LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { CollectionVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import {
  isQuarantined,
  type DocumentBatch,
  type CollectionSpec,
  type Group,
  type GroupQuery,
  type IndexedDocument,
  type ListPage,
  type ListQuery,
  type PageQuery,
  type QuarantinedDocument,
  type ReadStore,
  type RelayCheckpoint,
  type StoredDocument,
  type Sum,
  type SumKey,
  type SumQuery,
  type WrongSum,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Collection, Db } from 'mongodb';
import { MongoDbConnection, type MongoDbOptions } from '../../mongodb/connection.js';
import {
  collectionId,
  consumerId,
  consumerPositionIn,
  dropPositions,
  moveForwardsIn,
  positionsIn,
  relayCheckpointIn,
  resetConsumerPositionIn,
  resetRelayCheckpointIn,
  saveRelayCheckpointIn,
} from './checkpoints.js';
import { collectionName } from './collection-layout.js';
import { CommitLane } from './commit-lane.js';
import { prepare, writeConditionally } from './conditional-writes.js';
import { declare, dropDocuments, forget } from './declaration.js';
import { groupOf, groupPipeline, sumOf, sumsPipeline } from './groups.js';
import { orderedDrivers } from './list-filter.js';
import { madeFromIn, noteMadeFromIn } from './made-from.js';
import { PositionMoves } from './position-moves.js';
import { readPage, readThrough, type Ask } from './read-page.js';
import { indexedDocument, storedDocument, storedProjection, type MongoDbDocument } from './stored-document.js';
import { saveVersionsIn, versionsIn } from './versions.js';

export interface MongoDbReadStoreOptions extends MongoDbOptions {
  /** Makes nothing: collections must have been declared by another. */
  readonly readonly?: boolean;
}

/** The read models in a MongoDB database; any number of processes may use it. Connects on first use. */
export function openMongoDbReadStore(options: MongoDbReadStoreOptions): ReadStore {
  return new MongoDbReadStore(new MongoDbConnection('read store', options), options.readonly ?? false);
}

class MongoDbReadStore implements ReadStore {
  readonly #connection: MongoDbConnection;
  readonly #readonly: boolean;
  readonly #declared = new Set<string>();
  /** Collection → the commits to it. */
  readonly #lanes = new Map<string, CommitLane>();
  readonly #moves: PositionMoves;
  #questions = 0;

  constructor(connection: MongoDbConnection, readonly: boolean) {
    this.#connection = connection;
    this.#readonly = readonly;
    this.#moves = new PositionMoves((positions) => connection.write((db) => moveForwardsIn(db, positions)));
  }

  async declare(collection: CollectionSpec): Promise<void> {
    const name = collectionName(collection);
    if (this.#declared.has(name)) return;
    await this.#connection.declare((db) => declare(db, collection, this.#readonly));
    this.#declared.add(name);
  }

  async load(collection: CollectionSpec, keys: readonly string[]): Promise<readonly StoredDocument[]> {
    const found = await this.#read(collection, (documents, maxTimeMS) =>
      documents.find({ _id: { $in: [...keys] } }, { projection: storedProjection, maxTimeMS }).toArray(),
    );
    return found.map(storedDocument);
  }

  async commit(batch: DocumentBatch): Promise<readonly string[]> {
    const { collection, partition, position, writes } = batch;
    this.#assertDeclared(collection);
    const hasWrites = writes.length > 0;
    const conflicts = hasWrites ? await this.#laneOf(collection).commit(prepare(batch)) : [];
    if (conflicts.length > 0) return conflicts;
    // Only now that a majority has the documents: whoever finds the position finds them.
    await this.#moves.move(collectionId(collection, partition), position, hasWrites);
    return [];
  }

  async position(collection: CollectionSpec, partition: number): Promise<LogPosition> {
    return (await this.positions(collection))[partition]!;
  }

  positions(collection: CollectionSpec): Promise<readonly LogPosition[]> {
    return this.#connection.read((db) => positionsIn(db, collection));
  }

  async list(collection: CollectionSpec, query: ListQuery): Promise<readonly StoredDocument[]> {
    const driver = orderedDrivers(collection, query).find(({ isWhole }) => isWhole);
    if (driver === undefined) throw new Error(`${collectionName(collection)} has no index for the whole of this list`);
    const { documents } = await readThrough(this.#askOf(collection), collection, query, driver);
    return documents;
  }

  page(collection: CollectionSpec, query: PageQuery): Promise<ListPage> {
    return readPage(this.#askOf(collection), collection, query);
  }

  async quarantined(
    collection: CollectionSpec,
    after: string | undefined,
    limit: number,
  ): Promise<readonly QuarantinedDocument[]> {
    const filter = { degraded: { $gt: '' }, ...(after !== undefined && { _id: { $gt: after } }) };
    const found = await this.#read(collection, (documents, maxTimeMS) =>
      documents.find(filter, { projection: storedProjection, maxTimeMS }).sort({ _id: 1 }).limit(limit).toArray(),
    );
    return found.map(storedDocument).filter(isQuarantined);
  }

  async groups(collection: CollectionSpec, query: GroupQuery): Promise<readonly Group[]> {
    const rows = await this.#read(collection, (documents, maxTimeMS) =>
      documents.aggregate(groupPipeline(query), { maxTimeMS }).toArray(),
    );
    return rows.map(groupOf);
  }

  async sums(collection: CollectionSpec, query: SumQuery): Promise<readonly (Omit<SumKey, 'owner'> & Sum)[]> {
    const rows = await this.#read(collection, (documents, maxTimeMS) =>
      documents.aggregate(sumsPipeline(query), { maxTimeMS }).toArray(),
    );
    return rows.map(sumOf);
  }

  /** They are counted from the documents whenever they are asked for. */
  wrongSums(): Promise<readonly WrongSum[]> {
    return Promise.resolve([]);
  }

  async scan(
    collection: CollectionSpec,
    after: string | undefined,
    limit: number,
  ): Promise<readonly IndexedDocument[]> {
    const found = await this.#read(collection, (documents, maxTimeMS) =>
      documents
        .find(after === undefined ? {} : { _id: { $gt: after } }, { maxTimeMS })
        .sort({ _id: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map((document) => indexedDocument(collection, document));
  }

  count(collection: CollectionSpec): Promise<number> {
    // Counted, since the estimate is wrong after a crash.
    return this.#read(collection, (documents, maxTimeMS) => documents.countDocuments({}, { maxTimeMS }));
  }

  versions(name: string): Promise<CollectionVersions | undefined> {
    return this.#connection.read((db) => versionsIn(db, name));
  }

  saveVersions(name: string, versions: CollectionVersions): Promise<boolean> {
    return this.#connection.write((db) => saveVersionsIn(db, name, versions));
  }

  relayCheckpoint(): Promise<RelayCheckpoint> {
    return this.#connection.read(relayCheckpointIn);
  }

  async saveRelayCheckpoint(checkpoint: RelayCheckpoint): Promise<void> {
    await this.#connection.write((db) => saveRelayCheckpointIn(db, checkpoint));
  }

  resetRelayCheckpoint(expected: LogPosition, checkpoint: RelayCheckpoint): Promise<boolean> {
    return this.#connection.write((db) => resetRelayCheckpointIn(db, expected, checkpoint));
  }

  consumerPosition(consumer: string, partition: number): Promise<LogPosition> {
    return this.#connection.read((db) => consumerPositionIn(db, consumer, partition));
  }

  saveConsumerPosition(consumer: string, partition: number, position: LogPosition): Promise<void> {
    return this.#moves.move(consumerId(consumer, partition), position, true);
  }

  resetConsumerPosition(
    consumer: string,
    partition: number,
    expected: LogPosition,
    position: LogPosition,
  ): Promise<boolean> {
    const id = consumerId(consumer, partition);
    return this.#connection.write((db) => resetConsumerPositionIn(db, id, expected, position));
  }

  madeFrom(): Promise<string | undefined> {
    return this.#connection.read(madeFromIn);
  }

  async noteMadeFrom(log: string, insteadOf?: string): Promise<void> {
    await this.#connection.write((db) => noteMadeFromIn(db, log, insteadOf));
  }

  /** What others commit is not known without asking, so no two answers are equal. */
  changeCounter(): number {
    this.#questions += 1;
    return this.#questions;
  }

  async drop(collection: CollectionSpec): Promise<void> {
    await this.#connection.declare(async (db) => {
      // In this order a drop that dies half-way leaves documents without a position, and they are folded again.
      await dropPositions(db, collection);
      await dropDocuments(db, collection);
      await forget(db, collection);
    });
    this.#declared.delete(collectionName(collection));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #laneOf(collection: CollectionSpec): CommitLane {
    const name = collectionName(collection);
    const present = this.#lanes.get(name);
    if (present !== undefined) return present;
    const lane = new CommitLane((batches) =>
      this.#connection.write((db) => writeConditionally(this.#documents(db, collection), batches)),
    );
    this.#lanes.set(name, lane);
    return lane;
  }

  #askOf(collection: CollectionSpec): Ask {
    return (question) => this.#read(collection, question);
  }

  #read<T>(
    collection: CollectionSpec,
    question: (documents: Collection<MongoDbDocument>, maxTimeMS: number) => Promise<T>,
  ): Promise<T> {
    return this.#connection.read((db) =>
      question(this.#documents(db, collection), this.#connection.tuning.readPatience),
    );
  }

  #documents(db: Db, collection: CollectionSpec): Collection<MongoDbDocument> {
    this.#assertDeclared(collection);
    return db.collection<MongoDbDocument>(collectionName(collection));
  }

  #assertDeclared(collection: CollectionSpec): void {
    const name = collectionName(collection);
    if (!this.#declared.has(name)) throw new Error(`${name} is not declared`);
  }
}
