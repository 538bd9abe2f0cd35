import type { FieldValue, ListQuery, Place } from '@waybill/shared-kernel/ports/read-store.js';
import type { SqlValue } from '../../sqlite/database.js';
import { multipleColumn, singleColumn, type CollectionTable, type FieldIndex } from './collection-table.js';
import { searchQuery, wordRange, type Beginning } from './search-tokens.js';
import { storedColumns } from './stored-row.js';
import { beginning, whole } from './value-list.js';

/** SQL and what is bound to it. The SQL depends on the shape of the query alone, so that it is prepared once. */
export interface Bound {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
}

/** Where a list is read from, in its order; everything else the query asks is then tested on each document found there. */
export type OrderedDriver =
  /** An index over single fields. */
  | { readonly kind: 'index'; readonly index: FieldIndex }
  /** The rows of a value. */
  | { readonly kind: 'value'; readonly field: string; readonly value: string };

export type Driver =
  | OrderedDriver
  /** What a search for one word finds, to be tested and sorted. */
  | { readonly kind: 'search'; readonly beginning: Beginning };

/** Every way to read a query's list in its order. Throws where the spec has none. */
export function orderedDrivers(table: CollectionTable, query: ListQuery): readonly [OrderedDriver, ...OrderedDriver[]] {
  const { equal = {}, contains = {} } = query;
  const found: OrderedDriver[] = [];
  const index = table.indexes
    .filter(({ fields }) => fields.every((field) => equal[field] !== undefined))
    .reduce<FieldIndex | undefined>(
      (best, other) => (best !== undefined && best.fields.length >= other.fields.length ? best : other),
      undefined,
    );
  if (index !== undefined) found.push({ kind: 'index', index });
  for (const [field, value] of Object.entries(contains)) found.push({ kind: 'value', field, value });
  const [first, ...others] = found;
  if (first === undefined) {
    const fields = Object.keys(equal).join(', ') || 'nothing';
    throw new Error(`${table.spec.name}@${table.spec.version} has no index for a list by ${fields}`);
  }
  return [first, ...others];
}

/** The beginnings of words that a query searches for, the longest first. Throws for fields that are not searched. */
export function searchedBeginnings(table: CollectionTable, { startsWith = {} }: ListQuery): readonly Beginning[] {
  return Object.entries(startsWith)
    .flatMap(([field, prefixes]) => prefixes.map((prefix) => ({ field: numberOf(table, 'searched', field), prefix })))
    .sort((one, other) => other.prefix.length - one.prefix.length);
}

function numberOf(table: CollectionTable, kind: 'multiple' | 'searched', field: string): number {
  const number = table[kind].indexOf(field);
  if (number === -1) throw new Error(`${table.spec.name}@${table.spec.version}: ${field} is not in "${kind}"`);
  return number;
}

/** The part of a list that is looked at: as the query says, and no further than `through`, inclusive. */
interface Part extends Pick<ListQuery, 'from' | 'to' | 'after'> {
  readonly through?: Place | undefined;
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

  /** The part of the list as one range of an index that ends with place and key. */
  addRange({ from, to, after, through }: Part, place: string, key: string): void {
    // One bound at either end, the nearer of two: SQLite takes but one into the range and would walk to the other.
    // The lower one also leaves out the documents without a place.
    if (through !== undefined) this.add(`(${place}, ${key}) >= (?, ?)`, through.order, through.key);
    else this.add(`${place} >= ?`, from ?? '');
    if (after !== undefined && (to === undefined || after.order <= to)) {
      this.add(`(${place}, ${key}) < (?, ?)`, after.order, after.key);
    } else if (to !== undefined) {
      this.add(`${place} <= ?`, to);
    }
  }

  get isEmpty(): boolean {
    return this.#tests.length === 0;
  }

  get sql(): string {
    return this.isEmpty ? 'TRUE' : this.#tests.join(' AND ');
  }
}

/** The entries that the driver reads. */
function entriesOf(table: CollectionTable, query: ListQuery, driver: Driver, through?: Place): Conditions {
  const entries = new Conditions();
  const part = { ...query, through };
  switch (driver.kind) {
    case 'index':
      for (const field of driver.index.fields) entries.addEqual(field, query.equal?.[field] ?? null);
      entries.addRange(part, `d.${table.order}`, 'd.key');
      return entries;
    case 'value':
      entries.add('v.field = ? AND v.value = ?', numberOf(table, 'multiple', driver.field), driver.value);
      entries.addRange(part, 'v.place', 'v.key');
      return entries;
    case 'search':
      entries.add(`${table.search} MATCH ?`, searchQuery(driver.beginning));
      return entries;
    default:
      return driver satisfies never;
  }
}

/** What the query asks of the documents that the driver finds. */
function restOf(table: CollectionTable, query: ListQuery, driver: Driver): Conditions {
  const rest = new Conditions();
  const { equal = {}, contains = {} } = query;
  if (driver.kind === 'search') rest.addRange(query, `d.${table.order}`, 'd.key');
  for (const [field, value] of Object.entries(equal)) {
    if (driver.kind !== 'index' || !driver.index.fields.includes(field)) rest.addEqual(field, value);
  }
  for (const [field, value] of Object.entries(contains)) {
    if (driver.kind !== 'value' || driver.field !== field) {
      rest.add(`instr(d.${multipleColumn(field)}, ?) > 0`, whole(value));
    }
  }
  // The longest word is the rarest, as a rule, and ends the test.
  for (const { field, prefix } of searchedBeginnings(table, query)) {
    rest.add(`instr(d.${multipleColumn(table.searched[field]!)}, ?) > 0`, beginning(prefix));
  }
  return rest;
}

/** Whether every entry of the driver is a document of the list. */
export function answersWhole(table: CollectionTable, query: ListQuery, driver: Driver): boolean {
  return restOf(table, query, driver).isEmpty;
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
export function countStatement(table: CollectionTable, query: ListQuery, driver: OrderedDriver, limit: number): Bound {
  const entries = entriesOf(table, query, driver);
  return {
    sql: `SELECT count(*) FROM (SELECT 1 FROM ${sourceOf(table, driver)} WHERE ${entries.sql} LIMIT ?) counted`,
    parameters: [...entries.parameters, limit],
  };
}

/** How many documents have a word with this beginning, counted up to `limit`; more than once where they have several. */
export function countWordsStatement({ words }: CollectionTable, searched: Beginning, limit: number): Bound {
  return {
    sql: `SELECT count(*) FROM (SELECT 1 FROM ${words} WHERE term >= ? AND term < ? LIMIT ?) counted`,
    parameters: [...wordRange(searched), limit],
  };
}

/** The place of the entry of a driver after which `candidates` are looked at, and that of the next, if there is one. */
export function throughStatement(
  table: CollectionTable,
  query: ListQuery,
  driver: OrderedDriver,
  candidates: number,
): Bound {
  const entries = entriesOf(table, query, driver);
  const [place, key] = driver.kind === 'index' ? [`d.${table.order}`, 'd.key'] : ['v.place', 'v.key'];
  return {
    sql: `SELECT ${place}, ${key} FROM ${sourceOf(table, driver)} WHERE ${entries.sql}
      ORDER BY ${place} DESC, ${key} DESC LIMIT 2 OFFSET ?`,
    parameters: [...entries.parameters, candidates - 1],
  };
}

/** The documents of a query, each followed by its place, read from a driver, no further than `through`. */
export function listStatement(table: CollectionTable, query: ListQuery, driver: Driver, through?: Place): Bound {
  const entries = entriesOf(table, query, driver, through);
  const rest = restOf(table, query, driver);
  const columns = [...storedColumns.map((column) => `d.${column}`), `d.${table.order}`].join(', ');
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
