import type { DocumentBatch, Degraded, DocumentWrite, FieldValue } from '@waybill/shared-kernel/ports/read-store.js';
import type { Database, Statement } from '../../sqlite/database.js';
import { checkFields, degradedText, sectionsText } from '../storable.js';
import { fieldColumns, type CollectionTable } from './collection-table.js';
import { SearchWriter } from './search-writer.js';
import { sharesText, sortedJson } from './stored-row.js';
import { SumWriter } from './sum-writer.js';
import { valueList } from './value-list.js';
import { ValueWriter } from './value-writer.js';

/** The columns that every write sets, in the order in which `CollectionWriter` binds them. */
const writtenColumns = ['revisions', 'sections', 'projected_at', 'degraded'];

/** Writes documents into a collection's tables, inside a transaction of the caller. */
export class CollectionWriter {
  readonly #database: Database;
  readonly #table: CollectionTable;
  readonly #columns: readonly string[];
  readonly #insert: Statement<[]>;
  readonly #find: Statement<[id: number, revisions: string, degraded: string | null, ...fields: FieldValue[]]>;
  /** By the columns of fields that they set. */
  readonly #updates = new Map<string, Statement<[]>>();
  readonly #followers: readonly (ValueWriter | SearchWriter | SumWriter)[];
  readonly #sums: SumWriter | undefined;

  constructor(database: Database, table: CollectionTable) {
    this.#database = database;
    this.#table = table;
    this.#columns = fieldColumns(table);
    const columns = ['key', 'partition', ...writtenColumns, ...this.#columns];
    this.#insert = database.prepare(
      `INSERT INTO ${table.documents} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
       ON CONFLICT (key) DO NOTHING`,
    );
    this.#find = database.prepare(
      `SELECT ${['id', 'revisions', 'degraded', ...this.#columns].join(', ')} FROM ${table.documents} WHERE key = ?`,
    );
    this.#sums = table.spec.sums === true ? new SumWriter(database, table) : undefined;
    this.#followers = [
      ...(this.#sums === undefined ? [] : [this.#sums]),
      ...(table.multiple.length > 0 ? [new ValueWriter(database, table)] : []),
      ...(table.searched.length > 0 ? [new SearchWriter(database, table)] : []),
    ];
  }

  /** Writes what still is as it was expected; answers the keys of what is not. */
  write({ writes, partition }: DocumentBatch): readonly string[] {
    const conflicts: string[] = [];
    this.#sums?.begin();
    for (const write of writes) {
      const { expected } = write;
      const isWritten =
        expected === undefined ? this.#create(write, partition) : this.#change(write, sortedJson(expected));
      if (!isWritten) conflicts.push(write.key);
    }
    this.#sums?.end();
    return conflicts;
  }

  #create(write: DocumentWrite, partition: number): boolean {
    const fields = this.#fieldsOf(write);
    const { changes, lastInsertRowid } = this.#insert.run(write.key, partition, ...written(write), ...fields);
    if (changes === 0) return false;
    for (const follower of this.#followers) follower.write(write.key, lastInsertRowid, undefined, fields);
    return true;
  }

  #change(write: DocumentWrite, expected: string): boolean {
    const row = this.#find.get(write.key);
    if (row?.[1] !== expected || row[2] !== storedDegraded(write.expectedDegraded)) return false;
    const id = row[0];
    const before = row.slice(3);
    const after = this.#fieldsOf(write);
    // Only what changed is set, because SQLite rewrites the entries of every index over a column that is set.
    const changed = [...after.keys()].filter((index) => before[index] !== after[index]);
    this.#update(changed).run(...written(write), ...changed.map((index) => after[index]!), id);
    if (changed.length > 0) {
      for (const follower of this.#followers) follower.write(write.key, id, before, after);
    }
    return true;
  }

  /** By the order of the columns. */
  #fieldsOf(write: DocumentWrite): FieldValue[] {
    checkFields(this.#table.spec, write);
    const { fields } = write;
    const values: FieldValue[] = [];
    for (const field of this.#table.single) values.push(fields.single[field] ?? null);
    for (const field of this.#table.multiple) values.push(valueList(fields.multiple[field] ?? []));
    for (const field of this.#table.searched) values.push(valueList(fields.multiple[field] ?? []));
    if (this.#table.spec.sums === true) values.push(sharesText(fields.shares ?? []));
    return values;
  }

  #update(changed: readonly number[]): Statement<[]> {
    const shape = changed.join();
    let statement = this.#updates.get(shape);
    if (statement === undefined) {
      const set = [...writtenColumns, ...changed.map((index) => this.#columns[index]!)];
      statement = this.#database.prepare<[]>(
        `UPDATE ${this.#table.documents} SET ${set.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`,
      );
      this.#updates.set(shape, statement);
    }
    return statement;
  }
}

function written(write: DocumentWrite): (string | null)[] {
  const { revisions, projectedAt, degraded } = write;
  return [sortedJson(revisions), sectionsText(write, sortedJson), projectedAt, storedDegraded(degraded)];
}

function storedDegraded(degraded: Degraded | undefined): string | null {
  return degraded === undefined ? null : degradedText(degraded);
}
