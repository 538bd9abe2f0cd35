import type { FieldValue, Group, GroupQuery } from '@waybill/shared-kernel/ports/read-store.js';
import { highPart } from '../storable.js';
import { singleColumn, type CollectionTable } from './collection-table.js';
import type { Bound } from './list-statement.js';
import { exactSum } from './sums.js';

/** Numbers of any size come as text. */
export type GroupRow = [by: string, and: FieldValue, count: number, high: string, low: string];

/** The groups of a query, read from the index of its spec where there is one. */
export function groupStatement(table: CollectionTable, query: GroupQuery): Bound {
  const [by, and, sum] = [singleColumn(query.by), singleColumn(query.and), singleColumn(query.sum)];
  const part = (operator: '/' | '%'): string =>
    `CAST(coalesce(sum(CAST(${sum} AS INTEGER) ${operator} ${highPart}), 0) AS TEXT)`;
  return {
    sql: `SELECT ${by}, ${and}, count(*), ${part('/')}, ${part('%')} FROM ${table.documents}
      WHERE ${by} >= ? AND ${by} <= ? GROUP BY ${by}, ${and} ORDER BY ${by}, ${and}`,
    parameters: [query.from, query.to],
  };
}

export function groupOf([by, and, count, high, low]: GroupRow): Group {
  return { by, and, count, sum: exactSum(high, low) };
}
