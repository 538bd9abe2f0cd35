import { storedCheckpoint } from '@waybill/shared-kernel/category-heads.js';
import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionCount } from '@waybill/shared-kernel/partition.js';
import type { CollectionVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import { beginning } from '@waybill/shared-kernel/ports/event-store.js';
import {
  isQuarantined,
  type Batch,
  type CollectionSpec,
  type FieldValue,
  type Group,
  type GroupQuery,
  type IndexedDocument,
  type ListQuery,
  type QuarantinedDocument,
  type ReadStore,
  type RelayCheckpoint,
  type StoredDocument,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Database, SqlValue, Statement } from '../../sqlite/database.js';
import { whenFree } from '../../sqlite/when-free.js';
import { WriteGroup } from '../../sqlite/write-group.js';
import {
  collectionTable,
  createStatements,
  dropStatements,
  fieldColumns,
  type CollectionTable,
} from './collection-table.js';
import { CollectionWriter } from './collection-writer.js';
import { groupStatement, type GroupRow } from './group-statement.js';
import { countStatement, drivers, listStatement, type Bound, type Driver } from './list-statement.js';
import { openReadModels } from './schema.js';
import { indexedDocument, storedColumns, storedDocument, type StoredRow } from './stored-row.js';

export interface SqliteReadStoreOptions {
  /** Opens an existing file and never writes to it: collections must have been declared by another. */
  readonly readonly?: boolean;
}

/** The read models in one SQLite file; any number of threads and processes may have it open. */
export function openSqliteReadStore(file: string, { readonly = false }: SqliteReadStoreOptions = {}): ReadStore {
  return new SqliteReadStore(openReadModels(file, readonly), readonly);
}

/** So many documents are gathered and tested, or sorted, without a second thought. */
const worthGathering = 1000;

interface Declared {
  readonly table: CollectionTable;
  writer?: CollectionWriter;
}

class SqliteReadStore implements ReadStore {
  readonly #database: Database;
  readonly #readonly: boolean;
  readonly #declared = new Map<string, Declared>();
  readonly #statements = new Map<string, Statement<SqlValue[]>>();
  readonly #writes: WriteGroup;

  constructor(database: Database, readonly: boolean) {
    this.#database = database;
    this.#readonly = readonly;
    this.#writes = new WriteGroup(database);
  }

  async declare(collection: CollectionSpec): Promise<void> {
    const { name, version } = collection;
    if (this.#declared.has(nameOf(collection))) return;
    const table = collectionTable(collection);
    const spec = JSON.stringify(collection);
    const isThere = (): boolean => this.#isThere(collection, spec);
    if (!(await whenFree(isThere))) {
      if (this.#readonly) {
        throw new Unavailable('read store', `${name} version ${version} is not in ${this.#database.file} yet.`);
      }
      await this.#writes.commit(() => {
        if (isThere()) return;
        this.#database.exec(createStatements(table));
        this.#run('INSERT INTO collections VALUES (?, ?, ?)', name, version, spec);
      });
    }
    this.#declared.set(nameOf(collection), { table });
  }

  async load(collection: CollectionSpec, keys: readonly string[]): Promise<readonly StoredDocument[]> {
    const { documents } = this.#of(collection).table;
    const statement = this.#prepare<StoredRow>(`SELECT ${storedColumns.join(', ')} FROM ${documents} WHERE key = ?`);
    return whenFree(() => {
      const found: StoredDocument[] = [];
      for (const key of keys) {
        const row = statement.get(key);
        if (row !== undefined) found.push(storedDocument(row));
      }
      return found;
    });
  }

  async commit(batch: Batch): Promise<readonly string[]> {
    const { collection, partition, position } = batch;
    const declared = this.#of(collection);
    const writer = (declared.writer ??= new CollectionWriter(this.#database, declared.table));
    return this.#writes.commit(() => {
      const conflicts = writer.write(batch);
      if (conflicts.length === 0) {
        this.#run(
          `INSERT INTO positions VALUES (?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET position = excluded.position WHERE excluded.position > position`,
          collection.name,
          collection.version,
          partition,
          position,
        );
      }
      return conflicts;
    });
  }

  async position(collection: CollectionSpec, partition: number): Promise<number> {
    return (await this.positions(collection))[partition] ?? beginning;
  }

  async positions({ name, version }: CollectionSpec): Promise<readonly number[]> {
    const positions = Array<number>(partitionCount).fill(beginning);
    const rows = await this.#all<[partition: number, position: number]>({
      sql: 'SELECT partition, position FROM positions WHERE name = ? AND version = ?',
      parameters: [name, version],
    });
    for (const [partition, position] of rows) positions[partition] = position;
    return positions;
  }

  async list(collection: CollectionSpec, query: ListQuery): Promise<readonly StoredDocument[]> {
    const { table } = this.#of(collection);
    const driver = await this.#best(table, query);
    const rows = await this.#all<StoredRow>(listStatement(table, query, driver));
    return rows.map(storedDocument);
  }

  async quarantined(
    collection: CollectionSpec,
    after: string | undefined,
    limit: number,
  ): Promise<readonly QuarantinedDocument[]> {
    const { documents } = this.#of(collection).table;
    const rows = await this.#all<StoredRow>({
      sql: `SELECT ${storedColumns.join(', ')} FROM ${documents}
        WHERE degraded IS NOT NULL AND key > ? ORDER BY key LIMIT ?`,
      parameters: [after ?? '', limit],
    });
    return rows.map(storedDocument).filter(isQuarantined);
  }

  async groups(collection: CollectionSpec, query: GroupQuery): Promise<readonly Group[]> {
    const rows = await this.#all<GroupRow>(groupStatement(this.#of(collection).table, query));
    return rows.map(([by, and, count, sum]) => ({ by, and, count, sum }));
  }

  async scan(
    collection: CollectionSpec,
    after: string | undefined,
    limit: number,
  ): Promise<readonly IndexedDocument[]> {
    const { table } = this.#of(collection);
    const columns = [...storedColumns, ...fieldColumns(table)];
    const rows = await this.#all<[...StoredRow, ...FieldValue[]]>({
      sql: `SELECT ${columns.join(', ')} FROM ${table.documents} ${after === undefined ? '' : 'WHERE key > ?'}
        ORDER BY key LIMIT ?`,
      parameters: after === undefined ? [limit] : [after, limit],
    });
    return rows.map((row) => indexedDocument(table, row));
  }

  async count(collection: CollectionSpec): Promise<number> {
    const { documents } = this.#of(collection).table;
    const [row] = await this.#all<[number]>({ sql: `SELECT count(*) FROM ${documents}`, parameters: [] });
    return row?.[0] ?? 0;
  }

  async versions(name: string): Promise<CollectionVersions | undefined> {
    const [row] = await this.#all<[string]>({
      sql: 'SELECT versions FROM versions WHERE name = ?',
      parameters: [name],
    });
    return row === undefined ? undefined : (JSON.parse(row[0]) as CollectionVersions);
  }

  async saveVersions(name: string, versions: CollectionVersions): Promise<boolean> {
    const { revision } = versions;
    const text = JSON.stringify(versions);
    return this.#writes.commit(() => {
      const { changes } =
        revision === 1
          ? this.#run('INSERT INTO versions VALUES (?, 1, ?) ON CONFLICT DO NOTHING', name, text)
          : this.#run(
              'UPDATE versions SET revision = ?, versions = ? WHERE name = ? AND revision = ?',
              revision,
              text,
              name,
              revision - 1,
            );
      return changes === 1;
    });
  }

  async relayCheckpoint(): Promise<RelayCheckpoint> {
    const [row] = await this.#all<[position: number, heads: string]>({
      sql: 'SELECT position, heads FROM relay',
      parameters: [],
    });
    if (row === undefined) return { position: beginning, heads: {} };
    return storedCheckpoint(row[0], JSON.parse(row[1]) as RelayCheckpoint['heads']);
  }

  async saveRelayCheckpoint({ position, heads }: RelayCheckpoint): Promise<void> {
    await this.#writes.commit(() => {
      this.#run(
        `INSERT INTO relay VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position,
         heads = excluded.heads WHERE excluded.position > relay.position`,
        position,
        JSON.stringify(heads),
      );
    });
  }

  async consumerPosition(consumer: string, partition: number): Promise<number> {
    const [row] = await this.#all<[number]>({
      sql: 'SELECT position FROM consumers WHERE consumer = ? AND partition = ?',
      parameters: [consumer, partition],
    });
    return row?.[0] ?? beginning;
  }

  async saveConsumerPosition(consumer: string, partition: number, position: number): Promise<void> {
    await this.#writes.commit(() => {
      this.#run(
        `INSERT INTO consumers VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position
         WHERE excluded.position > consumers.position`,
        consumer,
        partition,
        position,
      );
    });
  }

  async madeFrom(): Promise<string | undefined> {
    const [row] = await this.#all<[log: string]>({ sql: 'SELECT log FROM made_from', parameters: [] });
    return row?.[0];
  }

  async noteMadeFrom(log: string): Promise<void> {
    await this.#writes.commit(() => {
      this.#run('INSERT INTO made_from VALUES (1, ?) ON CONFLICT DO NOTHING', log);
    });
  }

  changeCounter(): number {
    // `dataVersion` does not count what this connection commits. Both only ever rise, so an equal sum means that
    // neither moved.
    return this.#database.dataVersion() + this.#writes.commits;
  }

  async drop(collection: CollectionSpec): Promise<void> {
    const { name, version } = collection;
    await this.#writes.commit(() => {
      this.#database.exec(dropStatements(collectionTable(collection)));
      this.#run('DELETE FROM collections WHERE name = ? AND version = ?', name, version);
      this.#run('DELETE FROM positions WHERE name = ? AND version = ?', name, version);
    });
    this.#declared.delete(nameOf(collection));
  }

  async close(): Promise<void> {
    await this.#writes.idle();
    this.#database.close();
  }

  /**
   * The driver that reads the fewest entries, as far as counting pays. Whatever a search finds must be sorted, so it is
   * taken only where that is little: when it finds much, the list in its order soon meets enough of it.
   */
  async #best(table: CollectionTable, query: ListQuery): Promise<Driver> {
    const [first, ...others] = drivers(table, query);
    let best = first;
    if (others.length === 0) return best;
    let fewest = Infinity;
    for (const driver of [first, ...others]) {
      if (fewest <= worthGathering && driver.kind === 'search') continue;
      const count = await this.#count(table, query, driver);
      if (count < fewest) {
        best = driver;
        fewest = count;
      }
    }
    return best;
  }

  /** Entries of a driver, up to one more than is worth gathering. */
  async #count(table: CollectionTable, query: ListQuery, driver: Driver): Promise<number> {
    const [row] = await this.#all<[number]>(countStatement(table, query, driver, worthGathering + 1));
    return row?.[0] ?? 0;
  }

  #isThere({ name, version }: CollectionSpec, spec: string): boolean {
    const found = this.#prepare<[string]>('SELECT spec FROM collections WHERE name = ? AND version = ?').get(
      name,
      version,
    );
    if (found !== undefined && found[0] !== spec) {
      throw new BadDataFile(
        `${this.#database.file} holds ${name} version ${version} in another form than this program knows. Delete it: it is made again from the log.`,
      );
    }
    return found !== undefined;
  }

  #of(collection: CollectionSpec): Declared {
    const declared = this.#declared.get(nameOf(collection));
    if (declared === undefined) throw new Error(`${nameOf(collection)} is not declared`);
    return declared;
  }

  #all<Row extends SqlValue[]>({ sql, parameters }: Bound): Promise<Row[]> {
    return whenFree(() => this.#prepare<Row>(sql).all(...parameters));
  }

  #run(sql: string, ...parameters: readonly SqlValue[]): { readonly changes: number } {
    return this.#prepare<[]>(sql).run(...parameters);
  }

  #prepare<Row extends SqlValue[]>(sql: string): Statement<Row> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare<SqlValue[]>(sql);
      this.#statements.set(sql, statement);
    }
    return statement as Statement<Row>;
  }
}

function nameOf({ name, version }: CollectionSpec): string {
  return `${name}@${version}`;
}
