import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { Sum, SumKey, SumQuery, WrongSum } from '@waybill/shared-kernel/ports/read-store.js';
import type { Database } from '../../sqlite/database.js';
import { highPart, sumKeyText } from '../storable.js';
import { wrongAmong } from '../wrong-sums.js';
import type { CollectionTable } from './collection-table.js';
import type { Bound } from './list-statement.js';
import { sharesIn } from './stored-row.js';

/** Numbers of any size come as text. */
export type SumRow = [day: string, unit: string, name: string, count: number, high: string, low: string];

const total = 'CAST(high AS TEXT), CAST(low AS TEXT)';

export function sumsStatement({ sums }: CollectionTable, { owner, from, to }: SumQuery): Bound {
  return {
    sql: `SELECT day, unit, name, count, ${total} FROM ${sums}
      WHERE owner = ? AND day >= ? AND day <= ? AND count <> 0 ORDER BY day, unit, name`,
    parameters: [owner, from, to],
  };
}

export function sumOf([day, unit, name, count, high, low]: SumRow): Omit<SumKey, 'owner'> & Sum {
  return { day, unit, name, count, total: exactSum(high, low) };
}

/** What two parts come to that were summed apart. What is no number counts as nothing: an audit tells of it. */
export function exactSum(high: string, low: string): bigint {
  return partOf(high) * BigInt(highPart) + partOf(low);
}

function partOf(text: string): bigint {
  return /^-?\d+$/.test(text) ? BigInt(text) : 0n;
}

/** Documents that are counted in one turn of the event loop. */
const pageSize = 1000;

/**
 * Reads one moment of a file on a connection of its own, to its end, while others write. What is in memory has one
 * connection alone, and is read in one turn.
 */
export async function findWrongSums(
  database: Database,
  open: () => Database,
  table: CollectionTable,
): Promise<readonly WrongSum[]> {
  if (database.file === ':memory:') {
    const pages = wrongSumsIn(database, table);
    for (let page = pages.next(); ; page = pages.next()) if (page.done === true) return page.value;
  }
  const reader = open();
  try {
    reader.exec('BEGIN');
    const pages = wrongSumsIn(reader, table);
    for (let page = pages.next(); ; page = pages.next()) {
      if (page.done === true) return page.value;
      await endOfTurn();
    }
  } finally {
    reader.close();
  }
}

/** Stops after each page of documents. */
function* wrongSumsIn(database: Database, { documents, sums }: CollectionTable): Generator<void, readonly WrongSum[]> {
  const pages = database.prepare<[id: number, shares: string]>(
    `SELECT id, shares FROM ${documents} WHERE id > ? ORDER BY id LIMIT ${pageSize}`,
  );
  const counted = new Map<string, Sum>();
  for (let after = -1; ;) {
    const page = pages.all(after);
    for (const [, shares] of page) {
      for (const [sum, amount] of sharesIn(shares, counted)) {
        const before = counted.get(sum) ?? { count: 0, total: 0n };
        counted.set(sum, { count: before.count + 1, total: before.total + BigInt(amount) });
      }
    }
    if (page.length < pageSize) break;
    [after] = page.at(-1)!;
    yield;
  }
  const rows = database.prepare<[owner: string, ...SumRow]>(
    `SELECT owner, day, unit, name, count, ${total} FROM ${sums}`,
  );
  const kept = new Map<string, Sum>();
  for (const [owner, ...row] of rows.all()) {
    const sum = sumOf(row);
    kept.set(sumKeyText({ owner, ...sum }), sum);
  }
  return wrongAmong(kept, counted);
}
