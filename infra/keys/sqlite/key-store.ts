import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { dataKeyLength, type ErasableKeys, type EventMark, type KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { openDatabase, type Database, type Schema, type Statement } from '../../sqlite/database.js';
import { whenFree } from '../../sqlite/when-free.js';
import { fittingMasterKey, proofOf, type MasterKeySource } from '../fitting-master-key.js';
import { unwrapKey, wrapKey, type WrappedKey } from '../key-wrap.js';

export interface SqliteKeyStoreOptions extends MasterKeySource {
  /** The file of the wrapped keys. */
  readonly file: string;
}

const schema: Schema = {
  /** "WbKy". */
  applicationId: 0x57624b79,
  version: 2,
  migrate: (database, from) => {
    // Rows of `keys` come in the order of their id and stay where they are written. So no page is ever rearranged with
    // a copy of a wrapped key left behind in it, and erasing the row erases the key. `wrapped` is null once destroyed.
    if (from < 1) {
      database.exec(`
        CREATE TABLE keys (id INTEGER PRIMARY KEY, wrapped BLOB, subject TEXT NOT NULL UNIQUE);
        CREATE TABLE master (id INTEGER PRIMARY KEY CHECK (id = 1), proof BLOB NOT NULL);
      `);
    }
    database.exec(`
      CREATE TABLE erased_up_to (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id TEXT NOT NULL,
        stream TEXT NOT NULL,
        revision INTEGER NOT NULL,
        position INTEGER NOT NULL
      );
    `);
  },
};

/**
 * Data keys in a SQLite file, each wrapped by the master key; any number of processes may have it open. Commits are
 * durable (`synchronous=FULL`): a key outlives whatever is sealed with it. Throws `BadDataFile` or `BadConfiguration`
 * where the master key is lost or another.
 */
export function openSqliteKeyStore(options: SqliteKeyStoreOptions): KeyStore {
  const database = openKeyFile(options.file);
  try {
    const masterKey = masterKeyFor(database, options);
    database.exec('PRAGMA busy_timeout = 20');
    return new SqliteKeyStore(database, masterKey, options.randomness);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What can be done to the keys of a file without the master key: no key is made or opened. Throws `BadDataFile`. */
export function openErasableKeys(file: string): ErasableKeys {
  return new SqliteErasableKeys(openKeyFile(file));
}

function openKeyFile(file: string): Database {
  return openDatabase(file, {
    what: 'key store',
    schema,
    secureDelete: true,
    cacheMegabytes: 4,
    // Others that open it at the same time: waited for here, later in `whenFree`.
    busyTimeoutMs: 5_000,
  });
}

/** Every key of a file as it is wrapped, those destroyed included. Opens nothing but the file. Throws `BadDataFile`. */
export function wrappedKeysIn(file: string): readonly WrappedKey[] {
  const database = openDatabase(file, { what: 'key store', schema, readonly: true, busyTimeoutMs: 5_000 });
  try {
    const rows = database.prepare<[string, Uint8Array | null]>('SELECT subject, wrapped FROM keys ORDER BY id').all();
    return rows.map(([subject, wrapped]) => ({ subject, wrapped }));
  } finally {
    database.close();
  }
}

/** Throws `BadDataFile` or `BadConfiguration` where the master key is lost, another or none. Opens nothing but the files. */
export function assertMasterKeyFits({ file, ...source }: SqliteKeyStoreOptions): void {
  const database = openDatabase(file, { what: 'key store', schema, readonly: true, busyTimeoutMs: 1_000 });
  try {
    const present = database.prepare<[Uint8Array]>('SELECT proof FROM master').get();
    if (present !== undefined) fittingMasterKey(source, present[0], file);
  } finally {
    database.close();
  }
}

/** The master key that fits the file: the file holds a proof of it from the first use on. */
function masterKeyFor(database: Database, options: SqliteKeyStoreOptions): Uint8Array {
  const { file, randomness } = options;
  const find = database.prepare<[Uint8Array]>('SELECT proof FROM master');
  const present = find.get();
  const masterKey = fittingMasterKey(options, present?.[0], file);
  if (present !== undefined) return masterKey;
  database.prepare('INSERT OR IGNORE INTO master VALUES (1, ?)').run(proofOf(masterKey, randomness));
  // Whoever was quicker may have another.
  return fittingMasterKey(options, find.get()?.[0], file);
}

class SqliteErasableKeys implements ErasableKeys {
  readonly #database: Database;
  readonly #destroy: Statement<[]>;
  readonly #erasedUpTo: Statement<[id: string, stream: string, revision: number, position: number]>;
  readonly #noteErasedUpTo: Statement<[]>;
  readonly #truncateLog: Statement<[isBlocked: number, frames: number, copied: number]>;

  constructor(database: Database) {
    this.#database = database;
    this.#destroy = database.prepare(
      'INSERT INTO keys (subject, wrapped) VALUES (?, NULL) ON CONFLICT DO UPDATE SET wrapped = NULL',
    );
    this.#erasedUpTo = database.prepare('SELECT id, stream, revision, position FROM erased_up_to');
    this.#noteErasedUpTo = database.prepare('INSERT OR REPLACE INTO erased_up_to VALUES (1, ?, ?, ?, ?)');
    this.#truncateLog = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  async destroy(subject: string): Promise<void> {
    await whenFree(() => this.#destroy.run(subject));
    // The write-ahead log still holds the page as it was. Readers are waited for as long as for any lock.
    await whenFree(() => {
      if (this.#truncateLog.get()?.[0] !== 0) {
        throw new Unavailable('key store', `${this.#database.file} is being read; erase again in a moment.`);
      }
    });
  }

  async erasedUpTo(): Promise<EventMark | undefined> {
    const row = await whenFree(() => this.#erasedUpTo.get());
    if (row === undefined) return undefined;
    const [id, stream, revision, position] = row;
    return { id, stream, revision, position };
  }

  async noteErasedUpTo({ id, stream, revision, position }: EventMark): Promise<void> {
    await whenFree(() => this.#noteErasedUpTo.run(id, stream, revision, position));
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}

class SqliteKeyStore implements KeyStore {
  readonly #database: Database;
  readonly #masterKey: Uint8Array;
  readonly #randomness: Randomness;
  readonly #erasable: ErasableKeys;
  readonly #find: Statement<[wrapped: Uint8Array | null]>;
  readonly #create: Statement<[]>;

  constructor(database: Database, masterKey: Uint8Array, randomness: Randomness) {
    this.#database = database;
    this.#masterKey = masterKey;
    this.#randomness = randomness;
    this.#erasable = new SqliteErasableKeys(database);
    this.#find = database.prepare('SELECT wrapped FROM keys WHERE subject = ?');
    this.#create = database.prepare('INSERT INTO keys (subject, wrapped) VALUES (?, ?) ON CONFLICT DO NOTHING');
  }

  async find(subject: string): Promise<Uint8Array | undefined> {
    const row = await whenFree(() => this.#find.get(subject));
    return row === undefined ? undefined : this.#unwrap(subject, row[0]);
  }

  async create(subject: string): Promise<Uint8Array | undefined> {
    const present = await whenFree(() => this.#find.get(subject));
    if (present !== undefined) return this.#unwrap(subject, present[0]);
    const wrapped = wrapKey(this.#masterKey, subject, this.#randomness.bytes(dataKeyLength), this.#randomness);
    await whenFree(() => this.#create.run(subject, wrapped));
    // Ours, or that of whoever was quicker.
    return this.find(subject);
  }

  destroy(subject: string): Promise<void> {
    return this.#erasable.destroy(subject);
  }

  erasedUpTo(): Promise<EventMark | undefined> {
    return this.#erasable.erasedUpTo();
  }

  noteErasedUpTo(event: EventMark): Promise<void> {
    return this.#erasable.noteErasedUpTo(event);
  }

  close(): Promise<void> {
    return this.#erasable.close();
  }

  #unwrap(subject: string, wrapped: Uint8Array | null): Uint8Array | undefined {
    if (wrapped === null) return undefined;
    const key = unwrapKey(this.#masterKey, subject, wrapped);
    if (key === undefined) {
      throw new BadDataFile(`The key of ${subject} in ${this.#database.file} is damaged. Restore a backup of it.`);
    }
    return key;
  }
}
