import type { FieldValue, GroupQuery } from '@waybill/shared-kernel/ports/read-store.js';
import { singleColumn, type CollectionTable } from './collection-table.js';
import type { Bound } from './list-statement.js';

export type GroupRow = [by: string, and: FieldValue, count: number, sum: number];

/** The groups of a query, read from the index of its spec where there is one. */
export function groupStatement(table: CollectionTable, query: GroupQuery): Bound {
  const [by, and, sum] = [singleColumn(query.by), singleColumn(query.and), singleColumn(query.sum)];
  return {
    sql: `SELECT ${by}, ${and}, count(*), coalesce(sum(${sum}), 0) FROM ${table.documents}
      WHERE ${by} >= ? AND ${by} <= ? GROUP BY ${by}, ${and} ORDER BY ${by}, ${and}`,
    parameters: [query.from, query.to],
  };
}
