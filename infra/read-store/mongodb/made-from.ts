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

/** Once: what is there stays. */
export async function noteMadeFromIn(db: Db, log: string): Promise<void> {
  try {
    await madeFromsOf(db).insertOne({ _id: 'log', log });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}
