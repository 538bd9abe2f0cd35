import { existsSync } from 'node:fs';
import { DatabaseSync } from '@photostructure/sqlite';
import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';

/**
 * The one file that knows the SQLite driver. It uses nothing that `node:sqlite` does not have as well, so that the
 * latter can take its place.
 */
type Connection = InstanceType<typeof DatabaseSync>;
type Prepared = ReturnType<Connection['prepare']>;

export type SqlValue = string | number | bigint | Uint8Array | null;

/** What a file holds and how it comes to hold it. */
export interface Schema {
  /** Marks the file as one of ours, see `PRAGMA application_id`. */
  readonly applicationId: number;
  /** Kept in the file as `PRAGMA user_version`; a file with a greater one is refused. */
  readonly version: number;
  /** Brings a file from version `from` (0: new and empty) to `version`, inside a transaction. */
  migrate(database: Database, from: number): void;
}

export interface DatabaseOptions {
  /** What is unavailable while the file is locked or the disk is full: `event store`, `read store` … */
  readonly what: string;
  readonly schema: Schema;
  /** Opens an existing file and never writes to it. */
  readonly readonly?: boolean;
  /** FULL (the default): a commit that returned survives a power cut. NORMAL: it survives a crash of the process. */
  readonly synchronous?: 'FULL' | 'NORMAL';
  /** WAL (the default): readers and a writer side by side. DELETE: they exclude one another, also between processes. */
  readonly journal?: 'WAL' | 'DELETE';
  /** Overwrites what is deleted with zeros. */
  readonly secureDelete?: boolean;
  /** How long one statement may block its thread waiting for a lock, in milliseconds. 20 unless said otherwise. */
  readonly busyTimeoutMs?: number;
  /** Page cache of this connection in MiB. 16 unless said otherwise. */
  readonly cacheMegabytes?: number;
  /** What to do when the file is damaged, a sentence. */
  readonly remedy?: string;
}

/** SQLite's primary result codes that are no fault of the SQL, with its own words for them. */
const faults = {
  busy: { code: 5, text: 'database is locked' },
  locked: { code: 6, text: 'database table is locked' },
  readonly: { code: 8, text: 'attempt to write a readonly database' },
  ioError: { code: 10, text: 'disk I/O error' },
  corrupt: { code: 11, text: 'database disk image is malformed' },
  full: { code: 13, text: 'database or disk is full' },
  cantOpen: { code: 14, text: 'unable to open database file' },
  notADatabase: { code: 26, text: 'file is not a database' },
} as const;
type Fault = keyof typeof faults;
const faultNames = Object.keys(faults) as Fault[];

/** How long opening may wait for others that open, create or recover the same file, in milliseconds. */
const openingPatience = 5_000;

/** Pages after which a commit copies the write-ahead log into the file: 16 MiB. */
const checkpointPages = 4_096;

/**
 * The settings by which a write-ahead log is copied into the file after so many pages of 4 KiB, and is cut to twice that
 * size again where somebody who read for long, as a backup does, made it grow.
 */
export function writeAheadSettings(pages: number): string {
  return `PRAGMA wal_autocheckpoint = ${pages}; PRAGMA journal_size_limit = ${2 * 4_096 * pages};`;
}

/** Which of `faults` an error of the driver is. */
function faultIn(error: unknown): Fault | undefined {
  // Not `instanceof Error`: a native module may make its errors in another realm.
  const { errcode, message } = (error ?? {}) as { errcode?: unknown; message?: unknown };
  // The driver's `all` throws without `errcode`.
  if (typeof errcode !== 'number') return faultNames.find((name) => faults[name].text === message);
  return faultNames.find((name) => faults[name].code === (errcode & 0xff));
}

/** Whether something failed only because another connection holds a lock: trying again soon is right. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Unavailable)) return false;
  const fault = faultIn(error.cause);
  return fault === 'busy' || fault === 'locked';
}

/** The driver's error as one of ours that names the file and what to do; anything else as it is. */
function explain(error: unknown, file: string, options: DatabaseOptions): unknown {
  const cause = { cause: error };
  switch (faultIn(error)) {
    case 'busy':
    case 'locked':
      return new Unavailable(options.what, `${file} is locked by another process. Try again in a moment.`, cause);
    case 'full':
      return new Unavailable(
        options.what,
        `The disk is full: ${file} cannot grow. Make room; what is stored is whole.`,
        cause,
      );
    case 'ioError':
      return new Unavailable(options.what, `${file} cannot be read or written. Check its disk.`, cause);
    case 'readonly':
      return new BadDataFile(`${file} cannot be written. Give this user the right to write it and its folder.`, cause);
    case 'cantOpen':
      return new BadDataFile(
        options.readonly === true && !existsSync(file)
          ? `There is no ${file}. Check the data folder (WAYBILL_DATA).`
          : `${file} cannot be opened. Check that its folder is there and that this user may write to it.`,
        cause,
      );
    case 'corrupt':
    case 'notADatabase':
      return new BadDataFile(
        `${file} is damaged or not a SQLite file. ${options.remedy ?? 'Put it aside and restore a backup (npx waybill restore).'}`,
        cause,
      );
    case undefined:
      return error;
  }
}

/**
 * A prepared statement. Rows come as arrays in the order of the columns. Throws `Unavailable` (locked: see `isBusy`,
 * disk full, I/O error) and `BadDataFile`; what is left is a fault in the SQL.
 */
export class Statement<Row extends readonly SqlValue[]> {
  readonly #prepared: Prepared;
  readonly #explain: (error: unknown) => unknown;

  constructor(prepared: Prepared, explain: (error: unknown) => unknown) {
    prepared.setReturnArrays(true);
    this.#prepared = prepared;
    this.#explain = explain;
  }

  run(...parameters: readonly SqlValue[]): { readonly changes: number; readonly lastInsertRowid: number } {
    try {
      return this.#prepared.run(...parameters) as { changes: number; lastInsertRowid: number };
    } catch (error) {
      throw this.#explain(error);
    }
  }

  get(...parameters: readonly SqlValue[]): Row | undefined {
    try {
      return this.#prepared.get(...parameters) as Row | undefined;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  all(...parameters: readonly SqlValue[]): Row[] {
    try {
      return this.#prepared.all(...parameters) as Row[];
    } catch (error) {
      throw this.#explain(error);
    }
  }
}

/** A connection to one file. Synchronous: every call blocks its thread until it is done. */
export class Database {
  readonly file: string;
  readonly #connection: Connection;
  readonly #readonly: boolean;
  readonly #explain: (error: unknown) => unknown;
  #dataVersion: Statement<[number]> | undefined;
  #begin: Statement<[]> | undefined;
  #commit: Statement<[]> | undefined;

  /** See `openDatabase`. */
  constructor(file: string, options: DatabaseOptions) {
    this.file = file;
    this.#readonly = options.readonly === true;
    this.#explain = (error) => explain(error, file, options);
    this.#connection = this.#run(() => new DatabaseSync(file, { readOnly: this.#readonly }));
  }

  /** Prepares a statement; keep it, and use it again. */
  prepare<Row extends readonly SqlValue[]>(sql: string): Statement<Row> {
    return new Statement<Row>(
      this.#run(() => this.#connection.prepare(sql)),
      this.#explain,
    );
  }

  /** Runs statements that answer with nothing. */
  exec(sql: string): void {
    this.#run(() => {
      this.#connection.exec(sql);
    });
  }

  /**
   * Runs `work` in a transaction that takes the write lock at its beginning, so it cannot fail half-way for a lock.
   * Whatever it throws, and a commit that fails, leaves the file as it was.
   */
  immediate<T>(work: () => T): T {
    this.#begin ??= this.prepare('BEGIN IMMEDIATE');
    this.#commit ??= this.prepare('COMMIT');
    this.#begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      // A full disk and some I/O errors have rolled back already.
      if (this.#connection.isTransaction) this.exec('ROLLBACK');
      throw error;
    }
  }

  /** A counter that changes when another connection, of this or any process, has committed to the file. */
  dataVersion(): number {
    this.#dataVersion ??= this.prepare<[number]>('PRAGMA data_version');
    return this.#dataVersion.get()?.[0] ?? 0;
  }

  /** Copies the write-ahead log into the file and empties it, as far as readers allow; at once where there is none. */
  checkpoint(): void {
    this.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
  }

  /** Copies the write-ahead log into the file as far as readers allow, while others write. */
  checkpointBesideWriters(): void {
    this.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
  }

  close(): void {
    if (!this.#connection.isOpen) return;
    try {
      // The last one to close would do this, but the driver lets go of a file only when its statements are collected.
      if (!this.#readonly) this.checkpoint();
    } catch {
      // The log beside the file is as good; the next to open the file reads both.
    } finally {
      this.#connection.close();
    }
  }

  #run<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#explain(error);
    }
  }
}

/** Tries again while others hold the file, blocking the thread: opening happens once, before there is work. */
function patiently<T>(work: () => T): T {
  const deadline = performance.now() + openingPatience;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
      Atomics.wait(sleeper, 0, 0, 1 + Math.random() * 20);
    }
  }
}

function numberOf(database: Database, pragma: string): number {
  return database.prepare<[number]>(`PRAGMA ${pragma}`).get()?.[0] ?? 0;
}

/** Whether there is anything to do for `schema`; throws for a file that is not its own or newer than it. */
function isCurrent(database: Database, { schema, readonly = false }: DatabaseOptions): boolean {
  const { file } = database;
  // In this order: whoever makes the file meanwhile commits tables, mark and version together.
  const isEmpty = numberOf(database, 'schema_version') === 0;
  const isOurs = numberOf(database, 'application_id') === schema.applicationId;
  const version = numberOf(database, 'user_version');
  if (!isEmpty && !isOurs) {
    throw new BadDataFile(`${file} was not made by this program. Put it aside or use another data folder.`);
  }
  if (version > schema.version) {
    throw new BadDataFile(
      `${file} is of version ${version}, newer than this program knows (${schema.version}). Upgrade the program.`,
    );
  }
  if (readonly && version < schema.version) {
    throw new BadDataFile(`${file} is of version ${version}, older than ${schema.version}. Start the server once.`);
  }
  return version === schema.version;
}

/** Makes a connection, and the file if need be, what `options` say. A repeat is a no-op. */
function setUp(database: Database, options: DatabaseOptions): void {
  const { schema } = options;
  database.exec(
    `PRAGMA busy_timeout = ${options.busyTimeoutMs ?? 20};
     PRAGMA cache_size = ${-1024 * (options.cacheMegabytes ?? 16)};`,
  );
  const wasCurrent = isCurrent(database, options);
  if (options.readonly === true) return;
  database.exec(
    `PRAGMA journal_mode = ${options.journal ?? 'WAL'};
     PRAGMA synchronous = ${options.synchronous ?? 'FULL'};
     PRAGMA secure_delete = ${options.secureDelete === true ? 'ON' : 'OFF'};
     ${writeAheadSettings(checkpointPages)}`,
  );
  if (wasCurrent) return;
  database.immediate(() => {
    // Somebody else may have done it while this waited for the lock.
    if (isCurrent(database, options)) return;
    schema.migrate(database, numberOf(database, 'user_version'));
    database.exec(`PRAGMA application_id = ${schema.applicationId}; PRAGMA user_version = ${schema.version}`);
  });
}

/**
 * Opens a file, in its journal mode and brought to the version of `schema`; creates it where there is none. Any number of
 * threads and processes may do so at once. Throws `BadDataFile` or `Unavailable`, each with a sentence that names the
 * file and says what to do.
 */
export function openDatabase(file: string, options: DatabaseOptions): Database {
  const database = new Database(file, options);
  try {
    patiently(() => {
      setUp(database, options);
    });
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
