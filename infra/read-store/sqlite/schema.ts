import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import { openDatabase, writeAheadSettings, type Database, type Schema } from '../../sqlite/database.js';
import { collectionTable, createQuarantine, createWords } from './collection-table.js';

/** "WbRm". */
const applicationId = 0x5762526d;

const schema: Schema = {
  applicationId,
  version: 4,
  migrate: (database, from) => {
    if (from < 1) {
      database.exec(`
        CREATE TABLE collections (
          name TEXT NOT NULL, version INTEGER NOT NULL, spec TEXT NOT NULL,
          PRIMARY KEY (name, version)
        ) WITHOUT ROWID;
        CREATE TABLE positions (
          name TEXT NOT NULL, version INTEGER NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,
          PRIMARY KEY (name, version, partition)
        ) WITHOUT ROWID;
        CREATE TABLE consumers (
          consumer TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,
          PRIMARY KEY (consumer, partition)
        ) WITHOUT ROWID;
        CREATE TABLE relay (
          id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL, heads TEXT NOT NULL
        );
      `);
    }
    if (from < 2) {
      database.exec(`
        CREATE TABLE versions (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, versions TEXT NOT NULL);
        CREATE TABLE made_from (id INTEGER PRIMARY KEY CHECK (id = 1), log TEXT NOT NULL);
      `);
      for (const [spec] of database.prepare<[string]>('SELECT spec FROM collections').all()) {
        database.exec(createQuarantine(collectionTable(JSON.parse(spec) as CollectionSpec)));
      }
    }
    if (from < 3) {
      // Those of before name no events; they get anchors as they move.
      database.exec(`
        ALTER TABLE positions ADD COLUMN anchors TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE consumers ADD COLUMN anchors TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE relay ADD COLUMN anchors TEXT NOT NULL DEFAULT '[]';
      `);
    }
    if (from < 4) {
      for (const [spec] of database.prepare<[string]>('SELECT spec FROM collections').all()) {
        const table = collectionTable(JSON.parse(spec) as CollectionSpec);
        if (table.searched.length > 0) database.exec(createWords(table));
      }
    }
  },
};

/** Pages after which a commit copies the write-ahead log into the file: 64 MiB, since rebuilds write the same pages often. */
const checkpointPages = 16_384;

/**
 * The file of the read models. `synchronous=NORMAL`: documents and the positions they stand at are committed together,
 * so a power cut takes back both, and the log gives them again.
 */
export function openReadModels(file: string, readonly: boolean): Database {
  const database = openDatabase(file, {
    what: 'read store',
    schema,
    readonly,
    synchronous: 'NORMAL',
    cacheMegabytes: 64,
    remedy: 'Delete it: it is rebuilt from the log.',
  });
  if (!readonly) database.exec(writeAheadSettings(checkpointPages));
  return database;
}
