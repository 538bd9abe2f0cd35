import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';

/** Quotes a name for SQL. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The column of a single-valued field. */
export function singleColumn(field: string): string {
  return quoted(`single:${field}`);
}

/** The column of a multi-valued field: all its values, see `value-list.ts`. */
export function multipleColumn(field: string): string {
  return quoted(`multiple:${field}`);
}

/**
 * Where a collection lives:
 *
 * - `documents`: a row per document, with a column per field.
 * - `values`: a row per value of the fields of `multiple`, followed by the document's place in the list, so that the
 *   documents with a value are found in the list's order.
 * - `search`: an FTS5 index of the values of the fields of `searched`. It costs a fifth of rows in `values`, and what
 *   it finds is in no order.
 * - `words`: the entries of `search`, word by word, which are counted there up to any number: a `MATCH` for the beginning
 *   of words gathers all that it finds before it gives the first.
 *
 * Documents without a place in the list are in none of the last three.
 *
 * - `sums`: the sums of the documents' shares, each in two parts, see `highPart`.
 */
export interface CollectionTable {
  readonly spec: CollectionSpec;
  readonly documents: string;
  readonly values: string;
  readonly search: string;
  readonly words: string;
  readonly sums: string;
  /** Fields by the order of their columns: single-valued, then of whole values, then searched. */
  readonly single: readonly string[];
  readonly multiple: readonly string[];
  readonly searched: readonly string[];
  /** Index of the order field in `single`. */
  readonly orderIndex: number;
  /** The column of the order field. */
  readonly order: string;
  readonly indexes: readonly FieldIndex[];
}

export interface FieldIndex {
  readonly name: string;
  readonly fields: readonly string[];
}

/** Throws where the spec names fields that it does not have. */
export function collectionTable(spec: CollectionSpec): CollectionTable {
  const name = `${spec.name}@${spec.version}`;
  const single = Object.keys(spec.fields);
  if (spec.fields[spec.order] !== 'text') throw new Error(`${name}: the order ${spec.order} is no text field`);
  for (const field of [...spec.indexes.flat(), ...(spec.groups ?? []).flatMap(({ by, and, sum }) => [by, and, sum])]) {
    if (spec.fields[field] === undefined) throw new Error(`${name}: there is no field ${field} to index`);
  }
  return {
    spec,
    documents: quoted(name),
    values: quoted(`${name}:values`),
    search: quoted(`${name}:search`),
    words: quoted(`${name}:words`),
    sums: quoted(`${name}:sums`),
    single,
    multiple: spec.multiple,
    searched: spec.searched ?? [],
    orderIndex: single.indexOf(spec.order),
    order: singleColumn(spec.order),
    indexes: spec.indexes.map((fields) => ({ fields, name: quoted(`${name}:by:${fields.join('+')}`) })),
  };
}

/** The columns of the fields, in their order. */
export function fieldColumns({ spec, single, multiple, searched }: CollectionTable): readonly string[] {
  const shares = spec.sums === true ? ['shares'] : [];
  return [...single.map(singleColumn), ...multiple.map(multipleColumn), ...searched.map(multipleColumn), ...shares];
}

/** The statements that make it. */
export function createStatements(table: CollectionTable): string {
  const statements = [createDocuments(table)];
  if (table.multiple.length > 0) statements.push(createValues(table));
  if (table.searched.length > 0) statements.push(createSearch(table), createWords(table));
  if (table.spec.sums === true) statements.push(createSums(table));
  for (const { fields, name } of table.indexes) {
    const columns = [...fields.map(singleColumn), table.order, 'key'];
    statements.push(`CREATE INDEX ${name} ON ${table.documents} (${columns.join(', ')})`);
  }
  statements.push(createQuarantine(table));
  for (const { by, and, sum } of table.spec.groups ?? []) {
    const name = quoted(`${table.spec.name}@${table.spec.version}:groups:${by}+${and}+${sum}`);
    const columns = [by, and, sum].map(singleColumn);
    statements.push(
      `CREATE INDEX ${name} ON ${table.documents} (${columns.join(', ')}) WHERE ${singleColumn(by)} IS NOT NULL`,
    );
  }
  return statements.join(';\n');
}

/** `sections` comes last: it is long, and SQLite walks over whatever stands before a column it wants. */
function createDocuments({ spec, documents, single, multiple, searched }: CollectionTable): string {
  const columns = [
    'id INTEGER PRIMARY KEY',
    'key TEXT NOT NULL UNIQUE',
    'partition INTEGER NOT NULL',
    'revisions TEXT NOT NULL',
    'projected_at TEXT NOT NULL',
    'degraded TEXT',
    ...single.map((field) => `${singleColumn(field)} ${spec.fields[field] === 'text' ? 'TEXT' : 'NUMERIC'}`),
    ...[...multiple, ...searched].map((field) => `${multipleColumn(field)} TEXT NOT NULL`),
    ...(spec.sums === true ? ['shares TEXT NOT NULL'] : []),
    'sections TEXT NOT NULL',
  ];
  return `CREATE TABLE ${documents} (${columns.join(', ')})`;
}

function createValues({ values }: CollectionTable): string {
  return `CREATE TABLE ${values} (
    field INTEGER NOT NULL, value TEXT NOT NULL, place TEXT NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL,
    PRIMARY KEY (field, value, place, key)
  ) WITHOUT ROWID`;
}

function createSearch({ search }: CollectionTable): string {
  return `CREATE VIRTUAL TABLE ${search} USING fts5 (
    tokens, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '_'"
  )`;
}

function createSums({ sums }: CollectionTable): string {
  return `CREATE TABLE ${sums} (
    owner TEXT NOT NULL, day TEXT NOT NULL, unit TEXT NOT NULL, name TEXT NOT NULL,
    count INTEGER NOT NULL, high INTEGER NOT NULL, low INTEGER NOT NULL,
    PRIMARY KEY (owner, day, unit, name)
  ) WITHOUT ROWID`;
}

/** The statement that makes the table of words. */
export function createWords({ spec, words }: Pick<CollectionTable, 'spec' | 'words'>): string {
  const search = `${spec.name}@${spec.version}:search`.replaceAll("'", "''");
  return `CREATE VIRTUAL TABLE IF NOT EXISTS ${words} USING fts5vocab ('${search}', 'instance')`;
}

/** The statement that makes the index of the documents that are quarantined. */
export function createQuarantine({ spec, documents }: Pick<CollectionTable, 'spec' | 'documents'>): string {
  const name = quoted(`${spec.name}@${spec.version}:quarantined`);
  return `CREATE INDEX IF NOT EXISTS ${name} ON ${documents} (key) WHERE degraded IS NOT NULL`;
}

/** The statements that drop it. */
export function dropStatements({ documents, values, search, words, sums }: CollectionTable): string {
  return [documents, values, words, search, sums].map((name) => `DROP TABLE IF EXISTS ${name}`).join(';\n');
}
