/** Who shares and who has what, as one member sees it. */
export interface Division {
  /** Those who share, in an order that all of them see. */
  readonly members: readonly string[];
  /** How many partitions there are to share, numbered from 0. */
  readonly partitions: number;
  /** Partition → who has it, a member or not; absent: nobody. */
  readonly holders: ReadonlyMap<number, string>;
  /** Partition → who abstains from it, because the work on it did not move there. Where all members do, none counts. */
  readonly abstainers: ReadonlyMap<number, ReadonlySet<string>>;
}

export interface Share {
  /** Partitions it has and is to give up: for others who have less, or who may be able to work on them. */
  readonly giveUp: readonly number[];
  /** Partitions that nobody has and that are its to take. */
  readonly take: readonly number[];
}

/**
 * What a member gives up and takes for an even division, without asking the others. Members who see the same take
 * different partitions. If all see the same for long enough, their numbers of partitions differ by at most one. If they
 * cannot be equal, those who have more keep it: a member that joins or leaves moves no partition needlessly, so a
 * leader stays leader.
 *
 * A member that abstains from a partition gives it up to any that does not. Until the abstention ends it keeps its
 * other partitions and is given no more, if some member abstains from nothing.
 */
export function shareOf(me: string, division: Division): Share {
  const { partitions, holders } = division;
  const shares = evenShares(division);
  const mine = new Set(shares.get(me));
  const share = { giveUp: [] as number[], take: [] as number[] };
  for (let partition = 0; partition < partitions; partition += 1) {
    const holder = holders.get(partition);
    if (holder === me && shares.has(me) && !mine.has(partition)) share.giveUp.push(partition);
    if (holder === undefined && mine.has(partition)) share.take.push(partition);
  }
  return share;
}

/** Member → what it is to have in the end, what is still held by somebody else or by who is gone included. */
function evenShares({ members, partitions, holders, abstainers }: Division): Map<string, number[]> {
  const kept = new Map(members.map((member) => [member, [] as number[]]));
  const open: number[] = [];
  const ableTo = Array.from({ length: partitions }, (_, partition) => {
    const able = members.filter((member) => !abstainers.get(partition)?.has(member));
    return new Set(able.length > 0 ? able : members);
  });
  for (const [partition, able] of ableTo.entries()) {
    const holder = holders.get(partition);
    if (holder !== undefined && able.has(holder)) kept.get(holder)!.push(partition);
    else open.push(partition);
  }
  // Sorting is stable: among equals the order of the members decides, and who has more comes first.
  const shares = new Map([...kept].sort(([, left], [, right]) => right.length - left.length));
  const isEager = (member: string): boolean => ![...abstainers.values()].some((some) => some.has(member));
  const eager = [...shares].filter(([member]) => isEager(member)).map(([, share]) => share);
  for (const partition of open) {
    const able = [...shares].filter(([member]) => ableTo[partition]!.has(member)).map(([, share]) => share);
    fewestOf(eager.length > 0 ? eager : able)?.push(partition);
  }
  if (eager.length > 0) level([...shares.values()], eager);
  return shares;
}

/** Moves partitions from those who have most to those `eager` ones who have fewest, until that evens out nothing more. */
function level(shares: readonly number[][], eager: readonly number[][]): void {
  for (;;) {
    const most = shares.reduce((found, share) => (share.length >= found.length ? share : found));
    const fewest = fewestOf(eager)!;
    if (most.length < fewest.length + 2) return;
    most.sort((left, right) => left - right);
    fewest.push(most.pop()!);
  }
}

/** The first of them, if there are several. */
function fewestOf(shares: readonly number[][]): number[] | undefined {
  const [first, ...others] = shares;
  return first && others.reduce((found, share) => (share.length < found.length ? share : found), first);
}
