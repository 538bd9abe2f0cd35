import { storedCheckpoint } from '@waybill/shared-kernel/subscriptions/category-heads.js';
import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import { logBeginning, type Anchor, type LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { CollectionVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import {
  isQuarantined,
  type DocumentBatch,
  type CollectionSpec,
  type FieldValue,
  type Group,
  type GroupQuery,
  type IndexedDocument,
  type ListPage,
  type ListQuery,
  type PageQuery,
  type QuarantinedDocument,
  type ReadStore,
  type RelayCheckpoint,
  type StoredDocument,
  type Sum,
  type SumKey,
  type SumQuery,
  type WrongSum,
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
import { groupOf, groupStatement, type GroupRow } from './group-statement.js';
import { answersWhole, listStatement, orderedDrivers, type Bound } from './list-statement.js';
import { readPage } from './read-page.js';
import { openReadModels } from './schema.js';
import { findWrongSums, sumOf, sumsStatement, type SumRow } from './sums.js';
import { indexedDocument, storedColumns, storedDocument, type StoredRow } from './stored-row.js';

export interface SqliteReadStoreOptions {
  /** Opens an existing file and never writes to it: collections must have been declared by another. */
  readonly readonly?: boolean;
}

/** The read models in one SQLite file; any number of threads and processes may have it open. */
export function openSqliteReadStore(file: string, { readonly = false }: SqliteReadStoreOptions = {}): ReadStore {
  return new SqliteReadStore(openReadModels(file, readonly), readonly);
}

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

  async commit(batch: DocumentBatch): Promise<readonly string[]> {
    const { collection, partition, position } = batch;
    const declared = this.#of(collection);
    const writer = (declared.writer ??= new CollectionWriter(this.#database, declared.table));
    return this.#writes.commit(() => {
      const conflicts = writer.write(batch);
      if (conflicts.length === 0) {
        this.#run(
          `INSERT INTO positions (name, version, partition, position, anchors) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET position = excluded.position, anchors = excluded.anchors
           WHERE excluded.position > positions.position`,
          collection.name,
          collection.version,
          partition,
          position.through,
          JSON.stringify(position.anchors),
        );
      }
      return conflicts;
    });
  }

  async position({ name, version }: CollectionSpec, partition: number): Promise<LogPosition> {
    const [row] = await this.#all<PositionRow>({
      sql: 'SELECT position, anchors FROM positions WHERE name = ? AND version = ? AND partition = ?',
      parameters: [name, version, partition],
    });
    return positionOf(row);
  }

  async positions({ name, version }: CollectionSpec): Promise<readonly LogPosition[]> {
    const positions = Array<LogPosition>(partitionCount).fill(logBeginning);
    const rows = await this.#all<[...PositionRow, partition: number]>({
      sql: 'SELECT position, anchors, partition FROM positions WHERE name = ? AND version = ?',
      parameters: [name, version],
    });
    for (const [position, anchors, partition] of rows) positions[partition] = positionOf([position, anchors]);
    return positions;
  }

  async list(collection: CollectionSpec, query: ListQuery): Promise<readonly StoredDocument[]> {
    const { table } = this.#of(collection);
    const driver = orderedDrivers(table, query).find((each) => answersWhole(table, query, each));
    if (driver === undefined) throw new Error(`${nameOf(collection)} has no index for the whole of this list`);
    const rows = await this.#all<[...StoredRow, order: string]>(listStatement(table, query, driver));
    return rows.map((row) => storedDocument(row));
  }

  page(collection: CollectionSpec, query: PageQuery): Promise<ListPage> {
    return readPage((statement) => this.#all(statement), this.#of(collection).table, query);
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
    return rows.map(groupOf);
  }

  async sums(collection: CollectionSpec, query: SumQuery): Promise<readonly (Omit<SumKey, 'owner'> & Sum)[]> {
    const rows = await this.#all<SumRow>(sumsStatement(this.#of(collection).table, query));
    return rows.map(sumOf);
  }

  async wrongSums(collection: CollectionSpec): Promise<readonly WrongSum[]> {
    const { table } = this.#of(collection);
    if (collection.sums !== true) return [];
    return findWrongSums(this.#database, () => openReadModels(this.#database.file, true), table);
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
    const [row] = await this.#all<[...PositionRow, heads: string]>({
      sql: 'SELECT position, anchors, heads FROM relay',
      parameters: [],
    });
    if (row === undefined) return { ...logBeginning, heads: {} };
    const [position, anchors, heads] = row;
    return storedCheckpoint(positionOf([position, anchors]), JSON.parse(heads) as RelayCheckpoint['heads']);
  }

  async saveRelayCheckpoint(checkpoint: RelayCheckpoint): Promise<void> {
    await this.#putRelay(checkpoint, 'excluded.position > relay.position');
  }

  resetRelayCheckpoint(expected: LogPosition, checkpoint: RelayCheckpoint): Promise<boolean> {
    return this.#putRelay(checkpoint, 'relay.position = ?', expected.through);
  }

  /** Whether it was put in place of the one there, if there was one. */
  #putRelay(
    { through, anchors, heads }: RelayCheckpoint,
    givesWay: string,
    ...parameters: readonly SqlValue[]
  ): Promise<boolean> {
    return this.#writes.commit(() => {
      const { changes } = this.#run(
        `INSERT INTO relay (id, position, heads, anchors) VALUES (1, ?, ?, ?)
         ON CONFLICT DO UPDATE SET position = excluded.position, heads = excluded.heads, anchors = excluded.anchors
         WHERE ${givesWay}`,
        through,
        JSON.stringify(heads),
        JSON.stringify(anchors),
        ...parameters,
      );
      return changes === 1;
    });
  }

  async consumerPosition(consumer: string, partition: number): Promise<LogPosition> {
    const [row] = await this.#all<PositionRow>({
      sql: 'SELECT position, anchors FROM consumers WHERE consumer = ? AND partition = ?',
      parameters: [consumer, partition],
    });
    return positionOf(row);
  }

  async saveConsumerPosition(consumer: string, partition: number, position: LogPosition): Promise<void> {
    await this.#putConsumer(consumer, partition, position, 'excluded.position > consumers.position');
  }

  resetConsumerPosition(
    consumer: string,
    partition: number,
    expected: LogPosition,
    position: LogPosition,
  ): Promise<boolean> {
    return this.#putConsumer(consumer, partition, position, 'consumers.position = ?', expected.through);
  }

  /** Whether it was put in place of the one there. */
  #putConsumer(
    consumer: string,
    partition: number,
    { through, anchors }: LogPosition,
    givesWay: string,
    ...parameters: readonly SqlValue[]
  ): Promise<boolean> {
    return this.#writes.commit(() => {
      const { changes } = this.#run(
        `INSERT INTO consumers (consumer, partition, position, anchors) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET position = excluded.position, anchors = excluded.anchors WHERE ${givesWay}`,
        consumer,
        partition,
        through,
        JSON.stringify(anchors),
        ...parameters,
      );
      return changes === 1;
    });
  }

  async madeFrom(): Promise<string | undefined> {
    const [row] = await this.#all<[log: string]>({ sql: 'SELECT log FROM made_from', parameters: [] });
    return row?.[0];
  }

  async noteMadeFrom(log: string, insteadOf?: string): Promise<void> {
    await this.#writes.commit(() => {
      this.#run(
        'INSERT INTO made_from VALUES (1, ?) ON CONFLICT DO UPDATE SET log = excluded.log WHERE made_from.log = ?',
        log,
        insteadOf ?? null,
      );
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

  #isThere({ name, version }: CollectionSpec, spec: string): boolean {
    const found = this.#prepare<[string]>('SELECT spec FROM collections WHERE name = ? AND version = ?').get(
      name,
      version,
    );
    if (found !== undefined && found[0] !== spec) {
      throw new BadDataFile(
        `${this.#database.file} holds ${name} version ${version} in a form that this program does not know. Delete it: it is rebuilt from the log.`,
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

type PositionRow = [position: number, anchors: string];

function positionOf(row: PositionRow | undefined): LogPosition {
  if (row === undefined) return logBeginning;
  const [through, anchors] = row;
  return { through, anchors: JSON.parse(anchors) as readonly Anchor[] };
}

function nameOf({ name, version }: CollectionSpec): string {
  return `${name}@${version}`;
}
