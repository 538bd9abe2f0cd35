import {
  mostCandidates,
  type CollectionSpec,
  type ListPage,
  type ListQuery,
  type PageQuery,
  type Place,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Collection } from 'mongodb';
import { singlePath } from './collection-layout.js';
import { entriesFilter, listFilter, listOrder, orderedDrivers, searchDrivers, type Driver } from './list-filter.js';
import { storedDocument, storedProjection, type MongoDbDocument } from './stored-document.js';

/** Asks a collection, each question with a limit of time. */
export type Ask = <T>(
  question: (documents: Collection<MongoDbDocument>, maxTimeMS: number) => Promise<T>,
) => Promise<T>;

/** So many documents are gathered and tested, or sorted, without a second thought. */
const worthGathering = 1000;

/** Beginnings of words that are counted; the longest of them, which are the rarest as a rule. */
const mostCounted = 8;

export async function readPage(ask: Ask, spec: CollectionSpec, query: PageQuery): Promise<ListPage> {
  const { candidates = mostCandidates, ...asked } = query;
  const driver = await bestDriver(ask, spec, asked, Math.min(worthGathering, candidates));
  const through = driver.isBounded ? undefined : await placeOfLast(ask, spec, asked, driver, candidates);
  const { documents, next = through } = await readThrough(ask, spec, asked, driver, through);
  return { documents, ...(next !== undefined && { next }) };
}

/** Documents of a query, found with a driver, no further than `through`. */
export async function readThrough(
  ask: Ask,
  spec: CollectionSpec,
  query: ListQuery,
  { index }: Pick<Driver, 'index'>,
  through?: Place,
): Promise<ListPage> {
  const { limit } = query;
  const projection = { ...storedProjection, [singlePath(spec.order)]: 1 };
  const found = await ask((documents, maxTimeMS) =>
    documents
      .find(listFilter(spec, query, through), { projection, maxTimeMS, hint: index })
      .sort(listOrder(spec))
      .limit(limit + 1)
      .toArray(),
  );
  const documents = found.slice(0, limit);
  const last = found.length > limit ? documents.at(-1) : undefined;
  return { documents: documents.map(storedDocument), ...(last !== undefined && { next: placeOf(spec, last) }) };
}

/** The place up to which `candidates` are looked at; `undefined`: there are no more than that. */
async function placeOfLast(
  ask: Ask,
  spec: CollectionSpec,
  query: ListQuery,
  driver: Driver,
  candidates: number,
): Promise<Place | undefined> {
  const projection = { [singlePath(spec.order)]: 1 };
  const [last, beyond] = await ask((documents, maxTimeMS) =>
    documents
      .find(entriesFilter(spec, query, driver), { projection, maxTimeMS, hint: driver.index })
      .sort(listOrder(spec))
      .skip(candidates - 1)
      .limit(2)
      .toArray(),
  );
  return last === undefined || beyond === undefined ? undefined : placeOf(spec, last);
}

function placeOf({ order }: CollectionSpec, { _id: key, single }: MongoDbDocument): Place {
  return { order: String(single[order]), key };
}

/** `isBounded`: whoever reads it looks at few documents that are not of the list. */
interface Chosen extends Driver {
  readonly isBounded: boolean;
}

/**
 * The driver that reads the fewest entries, as far as counting pays. What a word finds must be sorted, so that is taken
 * only for one that few documents have: of one that many have the list in its order soon meets enough.
 */
async function bestDriver(ask: Ask, spec: CollectionSpec, query: ListQuery, few: number): Promise<Chosen> {
  const [first, ...others] = orderedDrivers(spec, query);
  if (first.isWhole) return { ...first, isBounded: true };
  let best = first;
  let fewest = Infinity;
  for (const driver of [first, ...others]) {
    const count = await countOf(entriesFilter(spec, query, driver), driver);
    if (count < fewest) [best, fewest] = [driver, count];
  }
  if (fewest <= few) return { ...best, isBounded: false };
  for (const driver of searchDrivers(query).slice(0, mostCounted)) {
    if ((await countOf({ $and: [...driver.filter] }, driver)) <= few) return { ...driver, isBounded: true };
  }
  return { ...best, isBounded: false };

  function countOf(filter: ReturnType<typeof listFilter>, { index }: Driver): Promise<number> {
    return ask((documents, maxTimeMS) => documents.countDocuments(filter, { limit: few + 1, hint: index, maxTimeMS }));
  }
}
