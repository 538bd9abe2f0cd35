import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import { dataKeyLength, type ErasableKeys, type EventMark } from '@waybill/shared-kernel/ports/keys.js';
import { openDatabase, type Database, type Schema, type Statement } from '../../sqlite/database.js';
import { whenFree } from '../../sqlite/when-free.js';
import {
  fittingMasterKeys,
  isProofOf,
  presentName,
  proofOf,
  wrappingKey,
  type MasterKeys,
  type MasterKeySource,
} from '../fitting-master-key.js';
import { rewrapped, unwrapWithAny, wrapKey, type WrappedKey } from '../key-wrap.js';
import type { RotatableKeyStore, Rotated } from '../rotatable.js';

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
export function openSqliteKeyStore(options: SqliteKeyStoreOptions): RotatableKeyStore {
  const database = openKeyFile(options.file);
  try {
    const masterKeys = masterKeysFor(database, options);
    database.exec('PRAGMA busy_timeout = 20');
    return new SqliteKeyStore(database, masterKeys, options);
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
    if (present !== undefined) fittingMasterKeys(source, present[0], file);
  } finally {
    database.close();
  }
}

/** The master keys that fit the file: the file holds a proof of one of them from the first use on. */
function masterKeysFor(database: Database, options: SqliteKeyStoreOptions): MasterKeys {
  const { file, randomness } = options;
  const find = database.prepare<[Uint8Array]>('SELECT proof FROM master');
  const present = find.get();
  const masterKeys = fittingMasterKeys(options, present?.[0], file);
  if (present !== undefined) return masterKeys;
  database.prepare('INSERT OR IGNORE INTO master VALUES (1, ?)').run(proofOf(masterKeys[0], randomness));
  // Whoever was quicker may have another.
  return fittingMasterKeys(options, find.get()?.[0], file);
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
    await this.truncateLog();
  }

  /** The write-ahead log still holds pages as they were. Readers are waited for as long as for any lock. */
  async truncateLog(): Promise<void> {
    await whenFree(() => {
      if (this.#truncateLog.get()?.[0] !== 0) {
        throw new Unavailable('key store', `${this.#database.file} is being read; do it again in a moment.`);
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

/** Keys wrapped anew in one transaction. */
const rotatedAtOnce = 500;

class SqliteKeyStore implements RotatableKeyStore {
  readonly #database: Database;
  readonly #masterKeys: MasterKeys;
  readonly #options: SqliteKeyStoreOptions;
  readonly #erasable: SqliteErasableKeys;
  readonly #find: Statement<[wrapped: Uint8Array | null]>;
  readonly #proof: Statement<[proof: Uint8Array]>;
  readonly #create: Statement<[]>;

  constructor(database: Database, masterKeys: MasterKeys, options: SqliteKeyStoreOptions) {
    this.#database = database;
    this.#masterKeys = masterKeys;
    this.#options = options;
    this.#erasable = new SqliteErasableKeys(database);
    this.#find = database.prepare('SELECT wrapped FROM keys WHERE subject = ?');
    this.#proof = database.prepare('SELECT proof FROM master');
    // Only while the master key is still the one that the key was wrapped by.
    this.#create = database.prepare(
      'INSERT INTO keys (subject, wrapped) SELECT ?, ? FROM master WHERE proof = ? ON CONFLICT DO NOTHING',
    );
  }

  async find(subject: string): Promise<Uint8Array | undefined> {
    const row = await whenFree(() => this.#find.get(subject));
    return row === undefined ? undefined : this.#unwrap(subject, row[0]);
  }

  async create(subject: string): Promise<Uint8Array | undefined> {
    const { randomness } = this.#options;
    const key = randomness.bytes(dataKeyLength);
    for (;;) {
      const present = await whenFree(() => this.#find.get(subject));
      // Ours, or that of whoever was quicker.
      if (present !== undefined) return this.#unwrap(subject, present[0]);
      const proof = await whenFree(() => this.#presentProof());
      const wrapped = wrapKey(this.#wrapping(proof), subject, key, randomness);
      await whenFree(() => this.#create.run(subject, wrapped, proof));
    }
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

  async rotate(): Promise<Rotated> {
    const { randomness } = this.#options;
    const [present] = this.#masterKeys;
    const database = this.#database;
    const setProof = database.prepare<[]>('UPDATE master SET proof = ?');
    const page = database.prepare<[id: number, subject: string, wrapped: Uint8Array]>(
      'SELECT id, subject, wrapped FROM keys WHERE id > ? AND wrapped IS NOT NULL ORDER BY id LIMIT ?',
    );
    const setWrapped = database.prepare<[]>('UPDATE keys SET wrapped = ? WHERE id = ?');
    const rotatePage = (after: number): { readonly last: number | undefined; readonly wrapped: number } =>
      database.immediate(() => {
        const rows = page.all(after, rotatedAtOnce);
        let wrapped = 0;
        for (const [id, subject, old] of rows) {
          const anew = rewrapped(this.#masterKeys, subject, old, randomness);
          if (anew === undefined) throw this.#damaged(subject);
          if (anew === old) continue;
          setWrapped.run(anew, id);
          wrapped += 1;
        }
        return { last: rows.at(-1)?.[0], wrapped };
      });

    // From here on all new keys are wrapped by the present one.
    await whenFree(() =>
      database.immediate(() => {
        const proof = this.#presentProof();
        this.#wrapping(proof);
        if (!isProofOf(present, proof)) setProof.run(proofOf(present, randomness));
      }),
    );
    let rotated = 0;
    for (let after: number | undefined = 0; after !== undefined;) {
      const from: number = after;
      const { last, wrapped } = await whenFree(() => rotatePage(from));
      rotated += wrapped;
      after = last;
    }
    await this.#erasable.truncateLog();
    return { wrappedAnew: rotated };
  }

  close(): Promise<void> {
    return this.#erasable.close();
  }

  #presentProof(): Uint8Array {
    const proof = this.#proof.get()?.[0];
    if (proof === undefined) throw new BadDataFile(`${this.#database.file} has lost the proof of its master key.`);
    return proof;
  }

  #wrapping(proof: Uint8Array): Uint8Array {
    return wrappingKey(this.#masterKeys, proof, presentName(this.#options), this.#database.file);
  }

  #unwrap(subject: string, wrapped: Uint8Array | null): Uint8Array | undefined {
    if (wrapped === null) return undefined;
    const key = unwrapWithAny(this.#masterKeys, subject, wrapped);
    if (key !== undefined) return key;
    // Where it was rotated, and this process has not the new master key, that is said.
    this.#wrapping(this.#presentProof());
    throw this.#damaged(subject);
  }

  #damaged(subject: string): BadDataFile {
    return new BadDataFile(`The key of ${subject} in ${this.#database.file} is damaged. Restore a backup of it.`);
  }
}
