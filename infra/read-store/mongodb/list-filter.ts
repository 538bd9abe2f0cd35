import type { CollectionSpec, ListQuery } from '@waybill/shared-kernel/ports/read-store.js';
import type { Condition, Filter, Sort } from 'mongodb';
import { collectionName, multiplePath, singlePath } from './collection-layout.js';
import type { MongoDbDocument } from './stored-document.js';

/** What a query's documents must be. Throws where no index of the spec answers it. */
export function listFilter(spec: CollectionSpec, query: ListQuery): Filter<MongoDbDocument> {
  const { equal = {}, contains = {}, startsWith = {}, after } = query;
  refuseUnindexed(spec, query);
  const conditions: Filter<MongoDbDocument>[] = [{ [singlePath(spec.order)]: placeRange(query) }];
  for (const [field, value] of Object.entries(equal)) conditions.push({ [singlePath(field)]: value });
  for (const [field, value] of Object.entries(contains)) conditions.push({ [multiplePath(field)]: value });
  for (const [field, prefixes] of Object.entries(startsWith)) {
    for (const prefix of prefixes) conditions.push({ [multiplePath(field)]: { $regex: beginning(prefix) } });
  }
  if (after !== undefined) {
    const place = singlePath(spec.order);
    conditions.push({ $or: [{ [place]: { $lt: after.order } }, { [place]: after.order, _id: { $lt: after.key } }] });
  }
  return { $and: conditions };
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
 * One range of an index: texts only, since a document without a place is in no list, and nothing above the page before,
 * of which `$or` then leaves out only what has the very same place.
 */
function placeRange({ from = '', to, after }: ListQuery): Condition<string> {
  const end = after !== undefined && (to === undefined || after.order < to) ? after.order : to;
  return end === undefined ? { $gte: from } : { $gte: from, $lte: end };
}

function refuseUnindexed(spec: CollectionSpec, { equal = {}, contains = {}, startsWith = {} }: ListQuery): void {
  const { multiple, searched = [], indexes } = spec;
  for (const field of Object.keys(contains)) {
    if (!multiple.includes(field)) throw new Error(`${collectionName(spec)}: ${field} is not in "multiple"`);
  }
  for (const field of Object.keys(startsWith)) {
    if (!searched.includes(field)) throw new Error(`${collectionName(spec)}: ${field} is not in "searched"`);
  }
  const isFound =
    Object.keys(contains).length > 0 ||
    Object.keys(startsWith).length > 0 ||
    indexes.some((fields) => fields.every((field) => equal[field] !== undefined));
  if (isFound) return;
  const fields = Object.keys(equal).join(', ') || 'nothing';
  throw new Error(`${collectionName(spec)} has no index for a list by ${fields}`);
}
