import type { FieldValue, Group, GroupQuery, Sum, SumKey, SumQuery } from '@waybill/shared-kernel/ports/read-store.js';
import type { Document } from 'mongodb';
import { highPart } from '../storable.js';
import { singlePath } from './collection-layout.js';

/** Summed in two parts, each of which a double holds exactly. */
interface Parts {
  readonly count: number;
  readonly high: number;
  readonly low: number;
}

interface GroupRow extends Parts {
  readonly _id: { readonly by: string; readonly and: FieldValue };
}

interface SumRow extends Parts {
  readonly _id: Omit<SumKey, 'owner'>;
}

function totalOf({ high, low }: Parts): bigint {
  return BigInt(high) * BigInt(highPart) + BigInt(low);
}

/** The aggregation of a query, whose rows `groupOf` takes. An index of the spec's `groups` answers it alone. */
export function groupPipeline({ by, and, sum, from, to }: GroupQuery): Document[] {
  const amount = `$${singlePath(sum)}`;
  const low = { $mod: [amount, highPart] };
  return [
    // A range of texts: a document whose group is null is not in it.
    { $match: { [singlePath(by)]: { $gte: from, $lte: to } } },
    {
      $group: {
        _id: { by: `$${singlePath(by)}`, and: `$${singlePath(and)}` },
        count: { $sum: 1 },
        high: { $sum: { $divide: [{ $subtract: [amount, low] }, highPart] } },
        low: { $sum: low },
      },
    },
    { $sort: { '_id.by': 1, '_id.and': 1 } },
  ];
}

export function groupOf(row: Document): Group {
  const { _id, count, ...parts } = row as GroupRow;
  return { by: _id.by, and: _id.and, count, sum: totalOf({ count, ...parts }) };
}

/** The aggregation of the sums of an owner, whose rows `sumOf` takes. */
export function sumsPipeline({ owner, from, to }: SumQuery): Document[] {
  const isAsked = { owner, day: { $gte: from, $lte: to } };
  return [
    { $match: { shares: { $elemMatch: isAsked } } },
    { $project: { shares: 1 } },
    { $unwind: '$shares' },
    { $match: { 'shares.owner': owner, 'shares.day': isAsked.day } },
    {
      $group: {
        _id: { day: '$shares.day', unit: '$shares.unit', name: '$shares.name' },
        count: { $sum: 1 },
        high: { $sum: '$shares.high' },
        low: { $sum: '$shares.low' },
      },
    },
    { $sort: { '_id.day': 1, '_id.unit': 1, '_id.name': 1 } },
  ];
}

export function sumOf(row: Document): Omit<SumKey, 'owner'> & Sum {
  const { _id, count, ...parts } = row as SumRow;
  return { ..._id, count, total: totalOf({ count, ...parts }) };
}
