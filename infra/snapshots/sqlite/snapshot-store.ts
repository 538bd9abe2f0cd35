import type { SnapshotStore, StoredSnapshot } from '@waybill/shared-kernel/ports/snapshots.js';
import { openDatabase, type Database, type Schema, type Statement } from '../../sqlite/database.js';
import { whenFree } from '../../sqlite/when-free.js';

const schema: Schema = {
  /** "WbSn". */
  applicationId: 0x5762536e,
  version: 1,
  migrate: (database) => {
    // With rowids: texts of some kilobytes are better kept out of the pages of an index.
    database.exec(`
      CREATE TABLE snapshots (
        stream TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, schema_version INTEGER NOT NULL, text BLOB NOT NULL
      );
    `);
  },
};

/** How long a question may wait for others, milliseconds: reading the events takes less. */
const answerTimeoutMs = 1_000;

/**
 * Snapshots in a SQLite file of their own, which may be deleted whenever no process has it open. `synchronous=NORMAL`:
 * a power cut may take the last ones, and the file stays whole.
 */
export function openSqliteSnapshotStore(file: string): SnapshotStore {
  return new SqliteSnapshotStore(file);
}

type Row = [revision: number, schemaVersion: number, text: Uint8Array];

/** Opened when it is first used, and again after a fault in that: without it everything still works. */
class SqliteSnapshotStore implements SnapshotStore {
  readonly #file: string;
  #opened: Opened | undefined;
  #isClosed = false;

  constructor(file: string) {
    this.#file = file;
  }

  async load(stream: string): Promise<StoredSnapshot | undefined> {
    const row = await whenFree(() => this.#database().load.get(stream), answerTimeoutMs);
    if (row === undefined) return undefined;
    const [revision, schemaVersion, text] = row;
    return { revision, schemaVersion, text: Buffer.from(text).toString('utf8') };
  }

  async save(stream: string, { revision, schemaVersion, text }: StoredSnapshot): Promise<void> {
    // As bytes: SQLite's text functions, and some tools, end a text at its first NUL.
    const bytes = Buffer.from(text, 'utf8');
    await whenFree(() => this.#database().save.run(stream, revision, schemaVersion, bytes), answerTimeoutMs);
  }

  async remove(stream: string): Promise<void> {
    await whenFree(() => this.#database().remove.run(stream), answerTimeoutMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#opened?.database.close();
  }

  #database(): Opened {
    if (this.#isClosed) throw new Error('The snapshot store was closed.');
    return (this.#opened ??= open(this.#file));
  }
}

interface Opened {
  readonly database: Database;
  readonly load: Statement<Row>;
  readonly save: Statement<[]>;
  readonly remove: Statement<[]>;
}

function open(file: string): Opened {
  const database = openDatabase(file, {
    what: 'snapshot store',
    schema,
    synchronous: 'NORMAL',
    cacheMegabytes: 4,
    remedy: 'Stop all processes and delete it: snapshots are made again.',
  });
  return {
    database,
    load: database.prepare('SELECT revision, schema_version, text FROM snapshots WHERE stream = ?'),
    save: database.prepare(
      `INSERT INTO snapshots (stream, revision, schema_version, text) VALUES (?, ?, ?, ?)
       ON CONFLICT (stream) DO UPDATE
       SET revision = excluded.revision, schema_version = excluded.schema_version, text = excluded.text
       WHERE revision < excluded.revision OR schema_version <> excluded.schema_version`,
    ),
    remove: database.prepare('DELETE FROM snapshots WHERE stream = ?'),
  };
}
