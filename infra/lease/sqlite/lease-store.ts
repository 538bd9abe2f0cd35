import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Lease, LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import { steadyClock } from '../../clock/steady.js';
import { openDatabase, type Database, type Schema, type Statement } from '../../sqlite/database.js';
import { whenFree } from '../../sqlite/when-free.js';
import type { LeaseRecord, LeaseRecords } from '../lease-record.js';
import { leaseStore } from '../lease-store.js';

const schema: Schema = {
  /** "WbLs". */
  applicationId: 0x57624c73,
  version: 1,
  migrate: (database) => {
    database.exec(`
      CREATE TABLE leases (
        name TEXT PRIMARY KEY, owner TEXT, token INTEGER NOT NULL, beat INTEGER NOT NULL, ttl INTEGER NOT NULL
      ) WITHOUT ROWID;
    `);
  },
};

/** How long a question may wait for others, milliseconds: whoever waits longer for a lease than it is worth has lost it. */
const answerTimeoutMs = 1_000;

/**
 * Leases in a SQLite file of their own, for the processes of one machine. `synchronous=NORMAL`: what a power cut takes
 * back, nobody is left to hold.
 */
export function openSqliteLeaseStore(file: string, clock: SteadyClock = steadyClock): LeaseStore {
  return leaseStore(openSqliteLeaseRecords(file), clock);
}

export function openSqliteLeaseRecords(file: string): LeaseRecords {
  const database = openDatabase(file, {
    what: 'lease store',
    schema,
    synchronous: 'NORMAL',
    cacheMegabytes: 1,
    remedy: 'Stop all processes and delete it: they make it again.',
  });
  return new SqliteRecords(database);
}

type Row = [name: string, owner: string | null, token: number, beat: number, ttl: number];

class SqliteRecords implements LeaseRecords {
  readonly #database: Database;
  readonly #find: Statement<Row>;
  readonly #list: Statement<Row>;
  readonly #insert: Statement<[]>;
  readonly #replace: Statement<[]>;
  readonly #beat: Statement<[]>;
  readonly #vacate: Statement<[]>;

  constructor(database: Database) {
    this.#database = database;
    this.#find = database.prepare('SELECT name, owner, token, beat, ttl FROM leases WHERE name = ?');
    this.#list = database.prepare(
      'SELECT name, owner, token, beat, ttl FROM leases WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name',
    );
    this.#insert = database.prepare('INSERT INTO leases VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
    this.#replace = database.prepare(
      'UPDATE leases SET owner = ?, token = ?, beat = ?, ttl = ? WHERE name = ? AND token = ? AND beat = ?',
    );
    this.#beat = database.prepare(
      'UPDATE leases SET beat = beat + 1, ttl = ? WHERE name = ? AND token = ? AND owner = ?',
    );
    this.#vacate = database.prepare('UPDATE leases SET owner = NULL WHERE name = ? AND token = ? AND owner = ?');
  }

  async find(name: string): Promise<LeaseRecord | undefined> {
    const row = await whenFree(() => this.#find.get(name), answerTimeoutMs);
    return row === undefined ? undefined : recordOf(row);
  }

  async list(prefix: string): Promise<readonly LeaseRecord[]> {
    const rows = await whenFree(() => this.#list.all(prefix), answerTimeoutMs);
    return rows.map(recordOf);
  }

  insert({ name, owner, token, beat, ttl }: LeaseRecord): Promise<boolean> {
    return this.#changes(() => this.#insert.run(name, owner, token, beat, ttl));
  }

  replace(present: LeaseRecord, { name, owner, token, beat, ttl }: LeaseRecord): Promise<boolean> {
    return this.#changes(() => this.#replace.run(owner, token, beat, ttl, name, present.token, present.beat));
  }

  beat(leases: readonly Lease[], ttl: number): Promise<readonly Lease[]> {
    return whenFree(
      () =>
        this.#database.immediate(() =>
          leases.filter(({ name, owner, token }) => this.#beat.run(ttl, name, token, owner).changes === 1),
        ),
      answerTimeoutMs,
    );
  }

  async vacate(name: string, owner: string, token: number): Promise<void> {
    await this.#changes(() => this.#vacate.run(name, token, owner));
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /** Whether the condition held. */
  async #changes(change: () => { readonly changes: number }): Promise<boolean> {
    return (await whenFree(change, answerTimeoutMs)).changes === 1;
  }
}

function recordOf([name, owner, token, beat, ttl]: Row): LeaseRecord {
  return { name, owner, token, beat, ttl };
}
