import type { Sum, WrongSum } from '@waybill/shared-kernel/ports/read-store.js';
import { sumKeyOf } from './storable.js';

const nothing: Sum = { count: 0, total: 0n };

/** Where two sets of sums, by the text of their keys, differ. One that is not there is nothing. */
export function wrongAmong(kept: ReadonlyMap<string, Sum>, counted: ReadonlyMap<string, Sum>): readonly WrongSum[] {
  const wrong: WrongSum[] = [];
  for (const key of [...new Set([...kept.keys(), ...counted.keys()])].sort()) {
    const [found, due] = [kept.get(key) ?? nothing, counted.get(key) ?? nothing];
    if (found.count === due.count && found.total === due.total) continue;
    wrong.push({ ...sumKeyOf(key), kept: copyOf(found), counted: copyOf(due) });
  }
  return wrong;
}

function copyOf({ count, total }: Sum): Sum {
  return { count, total };
}
