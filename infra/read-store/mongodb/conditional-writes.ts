import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { DocumentBatch, DocumentWrite } from '@waybill/shared-kernel/ports/read-store.js';
import { MongoBulkWriteError, MongoServerError, ObjectId, type AnyBulkWriteOperation, type Collection } from 'mongodb';
import { duplicateKey } from '../../mongodb/connection.js';
import { degradedText } from '../storable.js';
import { documentOf, inOrder, type MongoDbDocument } from './stored-document.js';

/** A batch as it will be written. */
export interface PreparedBatch extends Pick<DocumentBatch, 'partition' | 'writes'> {
  readonly commit: ObjectId;
  /** One for each write. */
  readonly documents: readonly MongoDbDocument[];
}

/** Of a batch with writes. Throws `DocumentNotStorable`. */
export function prepare({ collection, partition, writes }: DocumentBatch): PreparedBatch {
  const commit = new ObjectId();
  const documents = writes.map((write) => documentOf(collection, partition, write, commit));
  return { partition, writes, commit, documents };
}

/** Matches no document, so that an upsert inserts, or meets the one that is there as a duplicate. */
const none = { commit: { $exists: false } };

/**
 * Inserts and replacements would go to the server in two calls, one after the other: where there are both, inserts go
 * as upserts.
 */
function operationsOf(batches: readonly PreparedBatch[]): AnyBulkWriteOperation<MongoDbDocument>[] {
  const isMixed = batches.some(({ writes }) => writes.some(({ expected }) => expected !== undefined));
  return batches.flatMap(({ writes, documents }) =>
    writes.map((write, index): AnyBulkWriteOperation<MongoDbDocument> => {
      const document = documents[index]!;
      if (write.expected === undefined && !isMixed) return { insertOne: { document } };
      const { _id, ...replacement } = document;
      return write.expected === undefined
        ? { replaceOne: { filter: { _id, ...none }, replacement, upsert: true } }
        : { replaceOne: { filter: { _id, ...asExpected(write, write.expected) }, replacement } };
    }),
  );
}

/**
 * Writes what may be written of batches of different partitions, each document on its own. Answers for each batch with
 * the keys of those that met other revisions.
 */
export async function writeConditionally(
  documents: Collection<MongoDbDocument>,
  batches: readonly PreparedBatch[],
): Promise<readonly (readonly string[])[]> {
  const operations = operationsOf(batches);
  const { present, matched } = await writeAll(documents, operations);
  const writes = batches.flatMap((batch) => batch.writes);
  const conflicts = new Set(present.map((index) => writes[index]!.key));
  const replaced = writes.filter(({ expected }) => expected !== undefined);
  if (matched < replaced.length) {
    const commits = batches.map(({ commit }) => commit);
    for (const key of await missed(documents, replaced, commits)) conflicts.add(key);
  }
  return batches.map((batch) => batch.writes.map(({ key }) => key).filter((key) => conflicts.has(key)));
}

/** That a document still is as it was read. Null is also what is absent. */
function asExpected({ expectedDegraded }: DocumentWrite, expected: NonNullable<DocumentWrite['expected']>) {
  const degraded = expectedDegraded === undefined ? null : degradedText(expectedDegraded);
  return { revisions: inOrder(expected), degraded };
}

interface Written {
  /** Indexes of the inserts that met a document. */
  readonly present: readonly number[];
  /** Number of replacements that met what they expected. */
  readonly matched: number;
}

async function writeAll(
  documents: Collection<MongoDbDocument>,
  operations: AnyBulkWriteOperation<MongoDbDocument>[],
): Promise<Written> {
  try {
    const { matchedCount } = await documents.bulkWrite(operations, { ordered: false });
    return { present: [], matched: matchedCount };
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    // The driver lets a refusal, which may be harmless, hide that the other writes may not be safe yet.
    const unsafe = error.result.getWriteConcernError();
    if (unsafe !== undefined) throw new Unavailable('read store', `MongoDB did not make it safe: ${unsafe.errmsg}`);
    const refused = [error.writeErrors].flat();
    const other = refused.find(({ code }) => code !== duplicateKey);
    if (other !== undefined) throw new MongoServerError({ code: other.code, message: other.errmsg ?? 'refused' });
    if (refused.length === 0) throw error;
    return { present: refused.map(({ index }) => index), matched: error.result.matchedCount };
  }
}

/**
 * Keys of the replacements that did not go in: the server tells only how many. In a race one that did may be among
 * them, when another writer has replaced it since; that costs its writer a look and nothing else.
 */
async function missed(
  documents: Collection<MongoDbDocument>,
  writes: readonly DocumentWrite[],
  commits: readonly ObjectId[],
): Promise<string[]> {
  const keys = writes.map(({ key }) => key);
  const ours = await documents
    .find({ _id: { $in: keys }, commit: { $in: [...commits] } }, { projection: { _id: 1 } })
    .toArray();
  const written = new Set(ours.map(({ _id }) => _id));
  return keys.filter((key) => !written.has(key));
}
