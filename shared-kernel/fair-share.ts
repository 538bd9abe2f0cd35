/** Who is there and who has what, as one of them sees it. */
export interface Division {
  /** Those who share, in an order that all of them see. */
  readonly members: readonly string[];
  /** How many partitions there are to share, numbered from 0. */
  readonly partitions: number;
  /** Partition → who has it, a member or not; absent: nobody. */
  readonly holders: ReadonlyMap<number, string>;
}

export interface Share {
  /** Partitions it has and is to give up, for others who have less. */
  readonly giveUp: readonly number[];
  /** Partitions that nobody has and that are its to take. */
  readonly take: readonly number[];
}

const nothing: Share = { giveUp: [], take: [] };

/**
 * What a member does towards an even division, without asking the others. Who sees the same does not take the same, and
 * when all see the same for long enough, their numbers of partitions differ by at most one. Where they cannot be equal,
 * those who have more keep it: who joins or leaves makes nothing move that need not, so a leader stays the leader.
 */
export function shareOf(me: string, { members, partitions, holders }: Division): Share {
  const had = new Map(members.map((member) => [member, [] as number[]]));
  const free: number[] = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    const holder = holders.get(partition);
    if (holder === undefined) free.push(partition);
    else had.get(holder)?.push(partition);
  }
  // Sorting is stable: among equals the order of the members decides.
  const ranking = [...had].sort(([, left], [, right]) => right.length - left.length);
  for (const [rank, [member, own]] of ranking.entries()) {
    const fair = Math.floor(partitions / ranking.length) + (rank < partitions % ranking.length ? 1 : 0);
    const take = free.splice(0, Math.max(0, fair - own.length));
    if (member === me) return { giveUp: own.slice(fair), take };
  }
  return nothing;
}
