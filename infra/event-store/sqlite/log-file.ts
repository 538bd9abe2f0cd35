import { openDatabase, type Database, type Schema } from '../../sqlite/database.js';

/**
 * The log: one row per event. `body` is the appended event as JSON text and never changes; positions are given inside
 * the one write transaction there can be at a time, so they become visible in order.
 */
const schema: Schema = {
  applicationId: 0x57626c67, // 'Wblg'
  version: 1,
  migrate(database) {
    database.exec(
      `CREATE TABLE events (
         position INTEGER PRIMARY KEY,
         stream TEXT NOT NULL,
         revision INTEGER NOT NULL,
         recorded_at TEXT NOT NULL,
         body TEXT NOT NULL
       ) STRICT;
       CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);`,
    );
  },
};

/** Opens a log, making it where there is none. Throws as `openDatabase` does. */
export function openLog(file: string, options: { readonly readonly?: boolean } = {}): Database {
  return openDatabase(file, { what: 'event store', schema, cacheMegabytes: 64, busyTimeoutMs: 5, ...options });
}
