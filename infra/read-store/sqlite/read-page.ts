import { setImmediate as endOfTurn } from 'node:timers/promises';
import {
  mostCandidates,
  type ListPage,
  type ListQuery,
  type PageQuery,
  type Place,
  type StoredDocument,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { SqlValue } from '../../sqlite/database.js';
import type { CollectionTable } from './collection-table.js';
import {
  answersWhole,
  countStatement,
  countWordsStatement,
  listStatement,
  orderedDrivers,
  searchedBeginnings,
  throughStatement,
  type Bound,
  type Driver,
  type OrderedDriver,
} from './list-statement.js';
import { storedDocument, type StoredRow } from './stored-row.js';

/** Asks the file. */
export type All = <Row extends SqlValue[]>(statement: Bound) => Promise<Row[]>;

/** So many documents are gathered and tested, or sorted, without a second thought. */
const worthGathering = 1000;

/** Documents that are looked at in one turn of the event loop. */
const mostInATurn = 1000;

/** Beginnings of words that are counted; the longest of them, which are the rarest as a rule. */
const mostCounted = 8;

/** Reads a page; between parts of it others have their turn. */
export async function readPage(all: All, table: CollectionTable, query: PageQuery): Promise<ListPage> {
  const { candidates = mostCandidates, ...asked } = query;
  const driver = await bestDriver(all, table, asked, Math.min(worthGathering, candidates));
  if (driver.kind === 'search' || answersWhole(table, asked, driver)) return readPart(all, table, asked, driver);
  const documents: StoredDocument[] = [];
  let { after } = asked;
  for (let left = candidates; left > 0; left -= mostInATurn) {
    if (left < candidates) await endOfTurn();
    const part = { ...asked, ...(after !== undefined && { after }), limit: asked.limit - documents.length };
    const { documents: found, next } = await readBounded(all, table, part, driver, Math.min(left, mostInATurn));
    documents.push(...found);
    after = next;
    if (next === undefined || documents.length === asked.limit) break;
  }
  return { documents, ...(after !== undefined && { next: after }) };
}

/** Documents of a query among the next `candidates` entries of a driver. */
async function readBounded(
  all: All,
  table: CollectionTable,
  query: ListQuery,
  driver: OrderedDriver,
  candidates: number,
): Promise<ListPage> {
  // Where it ends is found first: what is written meanwhile may then be looked at, and nothing is passed over.
  const places = await all<[order: string, key: string]>(throughStatement(table, query, driver, candidates));
  const [last, beyond] = places.map(([order, key]) => ({ order, key }));
  const through = beyond === undefined ? undefined : last;
  const { documents, next = through } = await readPart(all, table, query, driver, through);
  return { documents, ...(next !== undefined && { next }) };
}

async function readPart(
  all: All,
  table: CollectionTable,
  query: ListQuery,
  driver: Driver,
  through?: Place,
): Promise<ListPage> {
  const { limit } = query;
  const statement = listStatement(table, { ...query, limit: limit + 1 }, driver, through);
  const rows = await all<[...StoredRow, order: string]>(statement);
  const documents = rows.slice(0, limit).map((row) => storedDocument(row));
  if (rows.length <= limit) return { documents };
  const [key, , , , , , order] = rows[limit - 1]!;
  return { documents, next: { order, key } };
}

/**
 * The driver that reads the fewest entries, as far as counting pays. Whatever a search finds must be sorted, so it is
 * taken only for a word that few documents have: of one that many have the list in its order soon meets enough.
 */
async function bestDriver(all: All, table: CollectionTable, query: ListQuery, few: number): Promise<Driver> {
  const beginnings = searchedBeginnings(table, query);
  const [first, ...others] = orderedDrivers(table, query);
  if (others.length === 0 && beginnings.length === 0) return first;
  let best = first;
  let fewest = Infinity;
  for (const driver of [first, ...others]) {
    const count = await countOf(all, countStatement(table, query, driver, few + 1));
    if (count < fewest) [best, fewest] = [driver, count];
  }
  if (fewest <= few) return best;
  for (const beginning of beginnings.slice(0, mostCounted)) {
    const count = await countOf(all, countWordsStatement(table, beginning, few + 1));
    if (count <= few) return { kind: 'search', beginning };
  }
  return best;
}

async function countOf(all: All, statement: Bound): Promise<number> {
  const [row] = await all<[number]>(statement);
  return row?.[0] ?? 0;
}
