import type { CollectionSpec, ListQuery, Place } from '@waybill/shared-kernel/ports/read-store.js';
import type { Condition, Filter, Sort } from 'mongodb';
import {
  collectionName,
  fieldsIndex,
  multipleIndex,
  multiplePath,
  searchIndex,
  singlePath,
} from './collection-layout.js';
import type { MongoDbDocument } from './stored-document.js';

/** An index from which a list is read, and what it says of the documents that are found in it. */
export interface Driver {
  /** Name of the index. */
  readonly index: string;
  readonly filter: readonly Filter<MongoDbDocument>[];
  /** Whether it gives every document of the list and no other. */
  readonly isWhole: boolean;
}

/** Every index that has a query's list in its order. Throws where the spec has none. */
export function orderedDrivers(spec: CollectionSpec, query: ListQuery): readonly [Driver, ...Driver[]] {
  const { equal = {}, contains = {}, startsWith = {} } = query;
  for (const field of Object.keys(contains)) requireField(spec, 'multiple', field);
  for (const field of Object.keys(startsWith)) requireField(spec, 'searched', field);
  const asked = Object.keys(equal).length + Object.keys(contains).length + Object.values(startsWith).flat().length;
  const found: Driver[] = [];
  const fields = spec.indexes
    .filter((index) => index.every((field) => equal[field] !== undefined))
    .reduce<readonly string[] | undefined>(
      (best, other) => (best !== undefined && best.length >= other.length ? best : other),
      undefined,
    );
  if (fields !== undefined) {
    const filter = fields.map((field) => ({ [singlePath(field)]: equal[field]! }));
    found.push({ index: fieldsIndex(fields), filter, isWhole: asked === fields.length });
  }
  for (const [field, value] of Object.entries(contains)) {
    found.push({ index: multipleIndex(field), filter: [{ [multiplePath(field)]: value }], isWhole: asked === 1 });
  }
  const [first, ...others] = found;
  if (first === undefined) {
    const names = Object.keys(equal).join(', ') || 'nothing';
    throw new Error(`${collectionName(spec)} has no index for a list by ${names}`);
  }
  return [first, ...others];
}

/** Those that find the documents with one of the words of a query, in no order; those of long words first. */
export function searchDrivers({ startsWith = {} }: ListQuery): readonly Driver[] {
  return Object.entries(startsWith)
    .flatMap(([field, prefixes]) => prefixes.map((prefix) => ({ field, prefix })))
    .sort((one, other) => other.prefix.length - one.prefix.length)
    .map(({ field, prefix }) => ({
      index: searchIndex(field),
      filter: [startsWithFilter(field, prefix)],
      isWhole: false,
    }));
}

/** What documents that are found with a driver must be, as far as that says it, between places of the query. */
export function entriesFilter(spec: CollectionSpec, query: ListQuery, { filter }: Driver): Filter<MongoDbDocument> {
  return { $and: [...placeConditions(spec, query), ...filter] };
}

/** What a query's documents must be. */
export function listFilter(spec: CollectionSpec, query: ListQuery, through?: Place): Filter<MongoDbDocument> {
  const { equal = {}, contains = {}, startsWith = {} } = query;
  const conditions = [...placeConditions(spec, query, through)];
  for (const [field, value] of Object.entries(equal)) conditions.push({ [singlePath(field)]: value });
  for (const [field, value] of Object.entries(contains)) conditions.push({ [multiplePath(field)]: value });
  for (const [field, prefixes] of Object.entries(startsWith)) {
    for (const prefix of prefixes) conditions.push(startsWithFilter(field, prefix));
  }
  return { $and: conditions };
}

function startsWithFilter(field: string, prefix: string): Filter<MongoDbDocument> {
  // Any value begins with nothing. Not every server tells no value from an empty one by a pattern.
  if (prefix === '') return { [`${multiplePath(field)}.0`]: { $exists: true } };
  return { [multiplePath(field)]: { $regex: beginning(prefix) } };
}

/** An anchored pattern without choices, which MongoDB looks up as the range of an index that it is. */
function beginning(prefix: string): string {
  return `^${prefix.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`).replaceAll('\0', String.raw`\x00`)}`;
}

/** Newest first. */
export function listOrder({ order }: CollectionSpec): Sort {
  return new Map([
    [singlePath(order), -1],
    ['_id', -1],
  ]);
}

/**
 * One range of an index: texts only, since a document without a place is in no list, and nothing above the page before
 * or below `through`, of which `$or` then leaves out only what has the very same place.
 */
function placeConditions(
  { order }: CollectionSpec,
  { from = '', to, after }: ListQuery,
  through?: Place,
): readonly Filter<MongoDbDocument>[] {
  const place = singlePath(order);
  const end = after !== undefined && (to === undefined || after.order < to) ? after.order : to;
  const begin = { $gte: through?.order ?? from };
  const range: Condition<string> = end === undefined ? begin : { ...begin, $lte: end };
  return [
    { [place]: range },
    ...(after === undefined
      ? []
      : [{ $or: [{ [place]: { $lt: after.order } }, { [place]: after.order, _id: { $lt: after.key } }] }]),
    ...(through === undefined
      ? []
      : [{ $or: [{ [place]: { $gt: through.order } }, { [place]: through.order, _id: { $gte: through.key } }] }]),
  ];
}

function requireField(spec: CollectionSpec, kind: 'multiple' | 'searched', field: string): void {
  if (spec[kind]?.includes(field) !== true) throw new Error(`${collectionName(spec)}: ${field} is not in "${kind}"`);
}
