import type { Collection, Document, Filter, MatchKeysAndValues, OptionalUnlessRequiredId } from 'mongodb';
import { isDuplicate } from './connection.js';

/**
 * Puts a document in place of the one of its id where that `givesWay`, or where there is none. Of several at once, in
 * whatever order, the one stays that gives way to no other.
 */
export async function putInPlace<Stored extends Document & { readonly _id: string }>(
  collection: Collection<Stored>,
  document: Stored,
  givesWay: Filter<Stored>,
): Promise<void> {
  const { _id, ...fields } = document;
  const replace = async (): Promise<boolean> => {
    const filter = { ...givesWay, _id } as Filter<Stored>;
    const { matchedCount } = await collection.updateOne(filter, { $set: fields as MatchKeysAndValues<Stored> });
    return matchedCount === 1;
  };
  if (await replace()) return;
  // Either it is there and stays, or not there yet.
  try {
    await collection.insertOne(document as OptionalUnlessRequiredId<Stored>);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    // Perhaps made in between, and gives way to this one.
    await replace();
  }
}
