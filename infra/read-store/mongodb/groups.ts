import type { FieldValue, Group, GroupQuery } from '@waybill/shared-kernel/ports/read-store.js';
import type { Document } from 'mongodb';
import { singlePath } from './collection-layout.js';

interface GroupRow {
  readonly _id: { readonly by: string; readonly and: FieldValue };
  readonly count: number;
  readonly sum: number;
}

/** The aggregation of a query, whose rows `groupOf` takes. An index of the spec's `groups` answers it alone. */
export function groupPipeline({ by, and, sum, from, to }: GroupQuery): Document[] {
  return [
    // A range of texts: a document whose group is null is not in it.
    { $match: { [singlePath(by)]: { $gte: from, $lte: to } } },
    {
      $group: {
        _id: { by: `$${singlePath(by)}`, and: `$${singlePath(and)}` },
        count: { $sum: 1 },
        sum: { $sum: `$${singlePath(sum)}` },
      },
    },
    { $sort: { '_id.by': 1, '_id.and': 1 } },
  ];
}

export function groupOf(row: Document): Group {
  const { _id, count, sum } = row as GroupRow;
  return { by: _id.by, and: _id.and, count, sum };
}
