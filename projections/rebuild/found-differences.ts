import type { FoundDifference, FoundDifferences } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { Difference } from '../audit/difference.js';

/** How many differences are shown of a rebuild, and explained; all are counted. */
export const shownDifferences = 10;
/** Characters of a value. */
const longestValue = 200;

export const none: FoundDifferences = { count: 0, first: [] };

/** Counts differences and keeps the first few, in little memory however many there are. */
export class DifferenceCount {
  #count = 0;
  readonly #first: FoundDifference[] = [];

  get count(): number {
    return this.#count;
  }

  add({ key, path, expected, actual, divergedAt }: Difference): void {
    this.#count += 1;
    if (this.#first.length === shownDifferences) return;
    this.#first.push({ key, path, expected: shown(expected), actual: shown(actual), divergedAt });
  }

  found(): FoundDifferences {
    return { count: this.#count, first: this.#first };
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= longestValue ? text : `${text.slice(0, longestValue)}…`;
}
