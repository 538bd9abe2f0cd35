/**
 * The total-queue check: what went in, what was promised, and what came out, compared.
 *
 * - lost: acknowledged, and not in the log
 * - doubled: in the log more than once
 * - unexpected: in the log, and nobody ever sent it
 * - recovered: not acknowledged at first, and in the log all the same
 */
export interface TotalQueue {
  readonly attempted: number;
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly unexpected: readonly string[];
  readonly recovered: readonly string[];
}

export function totalQueue(
  attempted: ReadonlySet<string>,
  acknowledged: ReadonlySet<string>,
  found: readonly string[],
): TotalQueue {
  const counts = new Map<string, number>();
  for (const item of found) counts.set(item, (counts.get(item) ?? 0) + 1);
  const items = [...counts.keys()];
  return {
    attempted: attempted.size,
    acknowledged: acknowledged.size,
    lost: [...acknowledged].filter((item) => !counts.has(item)),
    doubled: items.filter((item) => (counts.get(item) ?? 0) > 1),
    unexpected: items.filter((item) => !attempted.has(item)),
    recovered: items.filter((item) => attempted.has(item) && !acknowledged.has(item)),
  };
}
