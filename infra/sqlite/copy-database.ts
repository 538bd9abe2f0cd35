import { closeSync, fsyncSync, openSync } from 'node:fs';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { Database } from './database.js';

/** Copies and checks look at the pages of a file, not at what they mean. */
const anySchema = { applicationId: 0, version: 0, migrate: () => undefined };

function reading<T>(file: string, work: (database: Database) => T): T {
  const database = new Database(file, { what: 'data file', schema: anySchema, readonly: true });
  try {
    return work(database);
  } finally {
    database.close();
  }
}

/**
 * Copies a database as it stands at one moment into a new file, whoever goes on writing; on disk when it returns.
 * The copy has no write-ahead log, and nothing of what was deleted.
 */
export function copyDatabase(from: string, to: string): void {
  reading(from, (database) => {
    database.prepare('VACUUM INTO ?').run(to);
  });
  emptyWriteAheadLog(from);
  const copy = openSync(to, 'r+');
  try {
    fsyncSync(copy);
  } finally {
    closeSync(copy);
  }
}

/**
 * As long as it was read, nothing that was written meanwhile could be copied into the file. Done here, beside those who
 * write, it is not the next commit that waits for it.
 */
function emptyWriteAheadLog(file: string): void {
  try {
    const database = new Database(file, { what: 'data file', schema: anySchema });
    try {
      database.checkpointBesideWriters();
    } finally {
      // What came since is little: it empties the log where nobody uses it just now.
      database.close();
    }
  } catch {
    // Who may only read leaves it to those who write.
  }
}

/** Reads all of a database. Throws `BadDataFile` where it is not whole. */
export function checkDatabase(file: string): void {
  const found = reading(file, (database) => database.prepare<[string]>('PRAGMA integrity_check').all());
  const [first] = found;
  if (first?.[0] !== 'ok') throw new BadDataFile(`${file} is damaged: ${first?.[0] ?? 'it cannot be read'}.`);
}
