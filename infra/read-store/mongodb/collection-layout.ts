import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import type { IndexDescription } from 'mongodb';

/** Name of a collection in the database. */
export function collectionName({ name, version }: CollectionSpec): string {
  return `${name}.v${version}`;
}

/** Where a single-valued field is in a stored document. */
export function singlePath(field: string): string {
  return `single.${field}`;
}

/** Where a multi-valued field is in a stored document. */
export function multiplePath(field: string): string {
  return `multiple.${field}`;
}

/** Name of the index of a list of single-valued fields. */
export function fieldsIndex(fields: readonly string[]): string {
  return `by:${fields.join('+')}`;
}

/** Name of the index of a multi-valued field. */
export function multipleIndex(field: string): string {
  return `with:${field}`;
}

/** Name of the index of a field that is searched. */
export function searchIndex(field: string): string {
  return `search:${field}`;
}

/** Version of what `indexesOf` gives for a spec; raise it with each change, and collections get them when declared. */
export const indexesVersion = 3;

/** The indexes that a collection's queries are answered from. Throws where the spec names fields that it does not have. */
export function indexesOf(spec: CollectionSpec): readonly IndexDescription[] {
  const { fields, multiple, searched = [], order, indexes, groups = [], sums } = spec;
  if (fields[order] !== 'text') throw new Error(`${collectionName(spec)}: the order ${order} is no text field`);
  for (const field of [...indexes.flat(), ...groups.flatMap(({ by, and, sum }) => [by, and, sum])]) {
    if (fields[field] === undefined) throw new Error(`${collectionName(spec)}: there is no field ${field} to index`);
  }
  return [
    ...indexes.map((list) => index(fieldsIndex(list), list.map(singlePath), order)),
    // A document is found under each of its values, in the list's order.
    ...multiple.map((field) => index(multipleIndex(field), [multiplePath(field)], order)),
    ...searched.map((field) => index(searchIndex(field), [multiplePath(field)])),
    // Sparse: only of documents that are quarantined.
    { name: 'quarantined', key: { degraded: 1 }, sparse: true },
    ...(sums === true ? [{ name: 'sums', key: { 'shares.owner': 1, 'shares.day': 1 } }] : []),
    ...groups.map(({ by, and, sum }) => index(`groups:${by}+${and}+${sum}`, [by, and, sum].map(singlePath))),
  ];
}

/** An index over some paths, followed by the place in the list where there is an `order`. */
function index(name: string, paths: readonly string[], order?: string): IndexDescription {
  const key = new Map<string, 1 | -1>(paths.map((path) => [path, 1]));
  if (order !== undefined) key.set(singlePath(order), -1).set('_id', -1);
  return { name, key };
}
