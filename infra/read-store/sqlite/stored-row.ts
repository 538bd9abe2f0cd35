import type {
  Degraded,
  FieldValue,
  IndexedDocument,
  Share,
  StoredDocument,
} from '@waybill/shared-kernel/ports/read-store.js';
import { isSumKey, sumKeyOf, sumKeyText } from '../storable.js';
import type { CollectionTable } from './collection-table.js';
import { valuesOf } from './value-list.js';

/** Columns of a stored document, in the order in which `storedDocument` takes them. */
export const storedColumns = ['key', 'partition', 'revisions', 'sections', 'projected_at', 'degraded'] as const;

export type StoredRow = [
  key: string,
  partition: number,
  revisions: string,
  sections: string,
  projectedAt: string,
  degraded: string | null,
];

/** A document of its row. */
export function storedDocument(row: readonly [...StoredRow, ...FieldValue[]]): StoredDocument {
  const [key, partition, revisions, sections, projectedAt, degraded] = row;
  const document = {
    key,
    partition,
    revisions: JSON.parse(revisions) as Record<string, number>,
    sections: JSON.parse(sections) as Record<string, unknown>,
    projectedAt,
  };
  return degraded === null ? document : { ...document, degraded: JSON.parse(degraded) as Degraded };
}

/** A document of a row, of which whatever is no JSON counts as empty: an audit must be able to tell the rest. */
function legibleDocument(row: readonly [...StoredRow, ...FieldValue[]]): StoredDocument {
  try {
    return storedDocument(row);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const [key, partition, revisions, sections, projectedAt] = row;
    return storedDocument([key, partition, legible(revisions), legible(sections), projectedAt, null]);
  }
}

function legible(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return '{}';
  }
}

/** A document of a row that goes on with the columns of its fields. For audits: what cannot be read counts as empty. */
export function indexedDocument(
  { spec, single, multiple, searched }: CollectionTable,
  row: readonly [...StoredRow, ...FieldValue[]],
): IndexedDocument {
  const values = row.slice(storedColumns.length);
  return Object.assign(legibleDocument(row), {
    fields: {
      single: Object.fromEntries(single.map((field, index) => [field, values[index] ?? null])),
      multiple: Object.fromEntries(
        [...multiple, ...searched].map((field, index) => [field, valuesOf(values[single.length + index] as string)]),
      ),
      ...(spec.sums === true && { shares: sharesOf(values.at(-1) as string) }),
    },
  });
}

/** Shares as text, a line each: the same text for the same. As JSON, a key holds no line break. */
export function sharesText(shares: readonly Share[]): string {
  return shares
    .map((share) => sumKeyText(share) + String(share.amount))
    .sort()
    .join('\n');
}

/**
 * The key of each sum that a document adds to, and what. A line that cannot be read adds nothing: an audit tells of it.
 * Those that are `known` to be keys need not be looked into.
 */
export function sharesIn(
  text: string,
  known?: Pick<ReadonlyMap<string, unknown>, 'has'>,
): readonly (readonly [sum: string, amount: number])[] {
  const shares: [sum: string, amount: number][] = [];
  if (text === '') return shares;
  for (const line of text.split('\n')) {
    const end = line.lastIndexOf(']') + 1;
    const [sum, amount] = [line.slice(0, end), Number(line.slice(end))];
    if (Number.isSafeInteger(amount) && (known?.has(sum) === true || isSumKey(sum))) shares.push([sum, amount]);
  }
  return shares;
}

function sharesOf(text: string): readonly Share[] {
  return sharesIn(text).map(([sum, amount]) => ({ ...sumKeyOf(sum), amount }));
}

/** JSON with the names of the outermost object in order, so that equal documents are equal as text. */
export function sortedJson(object: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(object);
  const isInOrder = names.every((name, index) => index === 0 || names[index - 1]! < name);
  return JSON.stringify(isInOrder ? object : Object.fromEntries(names.sort().map((name) => [name, object[name]])));
}
