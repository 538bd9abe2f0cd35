import type { FieldValue, ListQuery } from '@waybill/shared-kernel/ports/read-store.js';
import type { SqlValue } from '../../sqlite/database.js';
import { multipleColumn, singleColumn, type CollectionTable, type FieldIndex } from './collection-table.js';
import { searchQuery } from './search-tokens.js';
import { storedColumns } from './stored-row.js';
import { beginning, whole } from './value-list.js';

/** SQL and what is bound to it. The SQL depends on the shape of the query alone, so that it is prepared once. */
export interface Bound {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
}

/** Where a list is read from; everything else the query asks is then tested on each document found there. */
export type Driver =
  /** An index over single fields, in the list's order. */
  | { readonly kind: 'index'; readonly index: FieldIndex }
  /** The rows of a value, in the list's order. */
  | { readonly kind: 'value'; readonly field: string; readonly value: string }
  /** What a search finds, to be sorted. */
  | { readonly kind: 'search'; readonly query: string };

/** Every way to read a query's list, those in the list's order first. Throws where the spec has none. */
export function drivers(table: CollectionTable, query: ListQuery): readonly [Driver, ...Driver[]] {
  const { equal = {}, contains = {}, startsWith = {} } = query;
  const found: Driver[] = [];
  const index = table.indexes
    .filter(({ fields }) => fields.every((field) => equal[field] !== undefined))
    .reduce<FieldIndex | undefined>(
      (best, other) => (best !== undefined && best.fields.length >= other.fields.length ? best : other),
      undefined,
    );
  if (index !== undefined) found.push({ kind: 'index', index });
  for (const [field, value] of Object.entries(contains)) found.push({ kind: 'value', field, value });
  const beginnings = Object.entries(startsWith).flatMap(([field, prefixes]) =>
    prefixes.map((prefix) => ({ field: numberOf(table, 'searched', field), prefix })),
  );
  if (beginnings.length > 0) found.push({ kind: 'search', query: searchQuery(beginnings) });
  const [first, ...others] = found;
  if (first === undefined) {
    const fields = Object.keys(equal).join(', ') || 'nothing';
    throw new Error(`${table.spec.name}@${table.spec.version} has no index for a list by ${fields}`);
  }
  return [first, ...others];
}

function numberOf(table: CollectionTable, kind: 'multiple' | 'searched', field: string): number {
  const number = table[kind].indexOf(field);
  if (number === -1) throw new Error(`${table.spec.name}@${table.spec.version}: ${field} is not in "${kind}"`);
  return number;
}

/** Conditions that must all hold, and what is bound to them. */
class Conditions {
  readonly #tests: string[] = [];
  readonly parameters: SqlValue[] = [];

  add(test: string, ...parameters: readonly SqlValue[]): void {
    this.#tests.push(test);
    this.parameters.push(...parameters);
  }

  addEqual(field: string, value: FieldValue): void {
    if (value === null) this.add(`d.${singleColumn(field)} IS NULL`);
    else this.add(`d.${singleColumn(field)} = ?`, value);
  }

  /** The part of the list between `from`, `to` and `after`, as one range of an index that ends with place and key. */
  addRange({ from, to, after }: ListQuery, place: string, key: string): void {
    // Also leaves out the documents without a place.
    this.add(`${place} >= ?`, from ?? '');
    // One upper bound, the lower of the two: SQLite takes but one into the range and would walk to the other.
    if (after !== undefined && (to === undefined || after.order <= to)) {
      this.add(`(${place}, ${key}) < (?, ?)`, after.order, after.key);
    } else if (to !== undefined) {
      this.add(`${place} <= ?`, to);
    }
  }

  get sql(): string {
    return this.#tests.length === 0 ? 'TRUE' : this.#tests.join(' AND ');
  }
}

/** The entries that the driver reads. */
function entriesOf(table: CollectionTable, query: ListQuery, driver: Driver): Conditions {
  const entries = new Conditions();
  switch (driver.kind) {
    case 'index':
      for (const field of driver.index.fields) entries.addEqual(field, query.equal?.[field] ?? null);
      entries.addRange(query, `d.${table.order}`, 'd.key');
      return entries;
    case 'value':
      entries.add('v.field = ? AND v.value = ?', numberOf(table, 'multiple', driver.field), driver.value);
      entries.addRange(query, 'v.place', 'v.key');
      return entries;
    case 'search':
      entries.add(`${table.search} MATCH ?`, driver.query);
      return entries;
    default:
      return driver satisfies never;
  }
}

/** What the query asks of the documents that the driver finds. */
function restOf(table: CollectionTable, query: ListQuery, driver: Driver): Conditions {
  const rest = new Conditions();
  const { equal = {}, contains = {}, startsWith = {} } = query;
  if (driver.kind === 'search') rest.addRange(query, `d.${table.order}`, 'd.key');
  for (const [field, value] of Object.entries(equal)) {
    if (driver.kind !== 'index' || !driver.index.fields.includes(field)) rest.addEqual(field, value);
  }
  for (const [field, value] of Object.entries(contains)) {
    if (driver.kind !== 'value' || driver.field !== field) {
      rest.add(`instr(d.${multipleColumn(field)}, ?) > 0`, whole(value));
    }
  }
  for (const [field, prefixes] of Object.entries(startsWith)) {
    for (const prefix of prefixes) rest.add(`instr(d.${multipleColumn(field)}, ?) > 0`, beginning(prefix));
  }
  return rest;
}

function sourceOf(table: CollectionTable, driver: Driver): string {
  switch (driver.kind) {
    case 'index':
      return `${table.documents} d INDEXED BY ${driver.index.name}`;
    case 'value':
      return `${table.values} v`;
    case 'search':
      return table.search;
    default:
      return driver satisfies never;
  }
}

/** How many entries a driver has, counted up to `limit`. */
export function countStatement(table: CollectionTable, query: ListQuery, driver: Driver, limit: number): Bound {
  const entries = entriesOf(table, query, driver);
  return {
    sql: `SELECT count(*) FROM (SELECT 1 FROM ${sourceOf(table, driver)} WHERE ${entries.sql} LIMIT ?) counted`,
    parameters: [...entries.parameters, limit],
  };
}

/** The documents of a query, read from a driver. */
export function listStatement(table: CollectionTable, query: ListQuery, driver: Driver): Bound {
  const entries = entriesOf(table, query, driver);
  const rest = restOf(table, query, driver);
  const columns = storedColumns.map((column) => `d.${column}`).join(', ');
  const source = sourceOf(table, driver);
  const newestFirst = `ORDER BY d.${table.order} DESC, d.key DESC`;
  return {
    sql: sqlOf(),
    parameters: [...entries.parameters, ...rest.parameters, query.limit],
  };

  function sqlOf(): string {
    switch (driver.kind) {
      case 'index':
        return `SELECT ${columns} FROM ${source} WHERE ${entries.sql} AND ${rest.sql} ${newestFirst} LIMIT ?`;
      case 'value':
        return `SELECT ${columns} FROM ${source} CROSS JOIN ${table.documents} d ON d.id = v.id
          WHERE ${entries.sql} AND ${rest.sql} ORDER BY v.place DESC, v.key DESC LIMIT ?`;
      case 'search':
        // Sorts the ids alone, then reads the documents that are wanted.
        return `SELECT ${columns} FROM (
            SELECT d.id FROM (SELECT rowid AS id FROM ${source} WHERE ${entries.sql}) found
            CROSS JOIN ${table.documents} d ON d.id = found.id WHERE ${rest.sql} ${newestFirst} LIMIT ?
          ) wanted CROSS JOIN ${table.documents} d ON d.id = wanted.id ${newestFirst}`;
      default:
        return driver satisfies never;
    }
  }
}
