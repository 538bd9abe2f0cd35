import { asError } from '@waybill/shared-kernel/as-error.js';
import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import type { Db, Document, IndexDescriptionInfo } from 'mongodb';
import { MongoDbConnection } from '../../mongodb/connection.js';
import { collectionName, indexesOf } from './collection-layout.js';

/** What a MongoDB server shows of itself. */
export interface InspectedMongoDb {
  readonly version: string;
  readonly roundTripMs: number;
  /** By how much its clock is ahead of ours, as far as that can be measured; `undefined`: it does not say the time. */
  readonly clockAheadMs: number | undefined;
  /** Of the replica set; `undefined`: it is in none. */
  readonly replicaSet: string | undefined;
  /** Why a write was not acknowledged by a majority; `undefined`: it was. */
  readonly writeFault: Error | undefined;
  /** Collections, by name on the server, that have not all their indexes: which are missing. */
  readonly missingIndexes: Readonly<Record<string, readonly string[]>>;
}

export interface InspectOptions {
  readonly url: string;
  readonly collections: readonly CollectionSpec[];
  /** What finding the server, and each question, may take. */
  readonly answerTimeoutMs: number;
}

/** Looks at a server; leaves nothing behind. Rejects with `Unavailable` or `BadConfiguration`. */
export async function inspectMongoDb({ url, collections, answerTimeoutMs }: InspectOptions): Promise<InspectedMongoDb> {
  const tuning = { selectTimeout: answerTimeoutMs, readPatience: answerTimeoutMs, writePatience: answerTimeoutMs };
  const connection = new MongoDbConnection('read store', { url, tuning });
  try {
    const { version } = await connection.read((db) => db.admin().serverInfo());
    const asked = Date.now();
    const hello = await connection.read(helloOf);
    const answered = Date.now();
    const localTime: unknown = hello['localTime'];
    const setName: unknown = hello['setName'];
    return {
      version: String(version),
      roundTripMs: answered - asked,
      clockAheadMs: localTime instanceof Date ? localTime.getTime() - (asked + answered) / 2 : undefined,
      replicaSet: typeof setName === 'string' ? setName : undefined,
      writeFault: await writeFaultOf(connection),
      missingIndexes: await connection.read((db) => missingIndexesIn(db, collections)),
    };
  } finally {
    await connection.close();
  }
}

/** Under its old name where the server does not know the new one. */
function helloOf(db: Db): Promise<Document> {
  return db.command({ hello: 1 }).catch(() => db.command({ isMaster: 1 }));
}

async function writeFaultOf(connection: MongoDbConnection): Promise<Error | undefined> {
  const trial = { _id: 'write trial' };
  try {
    await connection.write(async (db) => {
      const trials = db.collection<typeof trial>('doctor');
      await trials.replaceOne(trial, trial, { upsert: true });
      await trials.deleteOne(trial);
    });
    return undefined;
  } catch (error) {
    return asError(error);
  }
}

async function missingIndexesIn(
  db: Db,
  collections: readonly CollectionSpec[],
): Promise<Readonly<Record<string, readonly string[]>>> {
  const missing: Record<string, readonly string[]> = {};
  const there = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
  for (const spec of collections) {
    const name = collectionName(spec);
    const indexes = there.has(name) ? await db.collection(name).listIndexes().toArray() : [];
    const present = new Set(indexes.map((index: IndexDescriptionInfo) => index.name));
    const lacking = indexesOf(spec).flatMap((index) => (present.has(index.name) ? [] : [index.name ?? '']));
    if (lacking.length > 0) missing[name] = lacking;
  }
  return missing;
}
