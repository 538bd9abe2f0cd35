import type { Collection, Db } from 'mongodb';
import { isDuplicate } from '../../mongodb/connection.js';

interface MadeFrom {
  readonly _id: 'log';
  readonly log: string;
}

function madeFromsOf(db: Db): Collection<MadeFrom> {
  return db.collection<MadeFrom>('madeFrom');
}

export async function madeFromIn(db: Db): Promise<string | undefined> {
  return (await madeFromsOf(db).findOne({ _id: 'log' }))?.log;
}

/** Once: what is there stays, unless it is `insteadOf`. */
export async function noteMadeFromIn(db: Db, log: string, insteadOf?: string): Promise<void> {
  if (insteadOf !== undefined) {
    const { matchedCount } = await madeFromsOf(db).updateOne({ _id: 'log', log: insteadOf }, { $set: { log } });
    if (matchedCount === 1) return;
  }
  try {
    await madeFromsOf(db).insertOne({ _id: 'log', log });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}
