import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import { MongoServerError, type Collection, type Db } from 'mongodb';
import { duplicateKey } from '../../mongodb/connection.js';
import { collectionName, indexesOf, indexesVersion } from './collection-layout.js';

/** Says that a collection is there, with all its indexes. */
interface Declaration {
  readonly _id: string;
  /** The spec as JSON text. */
  readonly spec: string;
  readonly indexesVersion: number;
}

function declarationsOf(db: Db): Collection<Declaration> {
  return db.collection<Declaration>('collections');
}

/**
 * Makes a collection and its indexes; a repeat, or several at once, is a no-op. `readonly` makes nothing: `Unavailable`
 * where it is not there. Throws `BadDataFile` where it is there in another form.
 */
export async function declare(db: Db, spec: CollectionSpec, readonly: boolean): Promise<void> {
  const present = await declarationsOf(db).findOne({ _id: collectionName(spec) });
  if (present === null) {
    if (readonly) throw new Unavailable('read store', `${collectionName(spec)} is not in the database yet.`);
    await makeIndexes(db, spec);
    await note(db, spec);
    return;
  }
  if (present.spec !== JSON.stringify(spec)) {
    throw new BadDataFile(
      `The database holds ${collectionName(spec)} in a form that this program does not know. Drop it: it is rebuilt from the log.`,
    );
  }
  if (readonly || present.indexesVersion >= indexesVersion) return;
  await makeIndexes(db, spec);
  await dropOtherIndexes(db, spec);
  await declarationsOf(db).updateOne({ _id: present._id }, { $set: { indexesVersion } });
}

/** What servers before MongoDB 7 say to whoever drops what is not there; not all that speak its protocol give a code. */
const notThere = 'ns not found';

export async function dropDocuments(db: Db, spec: CollectionSpec): Promise<void> {
  try {
    await db.collection(collectionName(spec)).drop();
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.message !== notThere) throw error;
  }
}

export async function forget(db: Db, spec: CollectionSpec): Promise<void> {
  await declarationsOf(db).deleteOne({ _id: collectionName(spec) });
}

/** Last, so that whoever finds it finds the indexes too. */
async function note(db: Db, spec: CollectionSpec): Promise<void> {
  const declaration = { _id: collectionName(spec), spec: JSON.stringify(spec), indexesVersion };
  try {
    await declarationsOf(db).insertOne(declaration);
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
    // Another was quicker; that it means the same is seen by looking.
    await declare(db, spec, true);
  }
}

async function makeIndexes(db: Db, spec: CollectionSpec): Promise<void> {
  const indexes = indexesOf(spec);
  if (indexes.length > 0) await db.collection(collectionName(spec)).createIndexes([...indexes]);
}

async function dropOtherIndexes(db: Db, spec: CollectionSpec): Promise<void> {
  const collection = db.collection(collectionName(spec));
  const wanted = new Set(['_id_', ...indexesOf(spec).map(({ name }) => name)]);
  for (const { name } of await collection.listIndexes().toArray()) {
    if (typeof name === 'string' && !wanted.has(name)) await collection.dropIndex(name);
  }
}
