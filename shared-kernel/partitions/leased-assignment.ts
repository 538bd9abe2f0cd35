import { Abstentions, type AbstentionTuning } from '../subscriptions/abstentions.js';
import { asError } from '../as-error.js';
import type { Assignment, AssignPartitions, PartitionWork, WorkOnPartition } from './assignment.js';
import { shareOf } from './fair-share.js';
import { LeaseKeeper, type KeptLease, type LeaseDependencies } from './keep-leases.js';
import { partitionCount } from './partition.js';
import type { Randomness } from '../ports/clock.js';
import type { HeldLease, Lease } from '../ports/lease.js';
import { WorkWatch } from '../subscriptions/stall-detector.js';

export interface LeasedDependencies extends LeaseDependencies {
  readonly randomness: Randomness;
}

/**
 * Milliseconds. Whoever is gone is replaced after `ttl` and at most two looks; whoever holds something and does not move
 * after `stallTimeoutMs`, `partingMs` and at most four looks, if somebody else is seated.
 */
export interface LeasedTuning {
  /**
   * For how long a lease is taken. All of a process are renewed together, four times as often; one counts as lost a
   * quarter before its end.
   */
  readonly ttl: number;
  /** How long between two looks at who is there and what nobody has. */
  readonly look: number;
  /** For how long work that has something to do may not move, before it is left to others. */
  readonly stallTimeoutMs: number;
  /** For how long such work may take to stop before its lease is given back all the same. */
  readonly partingMs: number;
  readonly abstention: AbstentionTuning;
}

const stallTuning = {
  stallTimeoutMs: 5_000,
  partingMs: 2_500,
  abstention: { firstMs: 15_000, mostMs: 300_000, mostInTurnMs: 60_000 },
};
export const partitionTuning: LeasedTuning = { ttl: 4_000, look: 500, ...stallTuning };
export const leadershipTuning: LeasedTuning = { ttl: 2_500, look: 400, ...stallTuning };

/**
 * Divides the partitions evenly among the processes of a group, without a coordinator. Each process holds a numbered
 * seat, by which the others know of it, and the partitions it works on; all of these are leases. It looks again and
 * again who is there, gives up what is more than its share once the work on it has finished, and takes its share of
 * free partitions (`shareOf`). If a lease is lost, because the store is down or the process was stopped, its work stops
 * before another process can get it. Work may still be late, if a process wakes in the middle of a write: the work on a
 * partition must tolerate a second process that does the same.
 *
 * If the work on a partition is stalled, its process abstains from it. It says so by a lease, and gives the partition
 * up to any process that does not abstain, for a time that grows with each time in a row. Without any it keeps the
 * partition and tries on.
 */
export function leasedPartitions(
  dependencies: LeasedDependencies,
  tuning: LeasedTuning = partitionTuning,
): AssignPartitions {
  return (group, work) => new LeasedAssignment(group, partitionCount, work, dependencies, tuning);
}

/** The same for what one process of a group does at a time: there is one partition, 0. The others stand by. */
export function leasedLeadership(
  dependencies: LeasedDependencies,
  tuning: LeasedTuning = leadershipTuning,
): AssignPartitions {
  return (group, work) => new LeasedAssignment(group, 1, work, dependencies, tuning);
}

/** A partition that is held, and from when on it is being given back. */
interface Tenure {
  readonly lease: KeptLease;
  work: PartitionWork | undefined;
  watch: WorkWatch | undefined;
  /** When the work began, on the clock of the leases. */
  begunAt: number;
  ended: Promise<void> | undefined;
}

class LeasedAssignment implements Assignment {
  readonly #partitions: number;
  readonly #work: WorkOnPartition;
  readonly #dependencies: LeasedDependencies;
  readonly #tuning: LeasedTuning;
  readonly #keeper: LeaseKeeper;
  readonly #owner: string;
  readonly #all: string;
  readonly #seats: string;
  readonly #tenancies: string;
  readonly #stopping = new AbortController();
  readonly #tenures = new Map<number, Tenure>();
  readonly #abstentions: Abstentions;
  readonly #looking: Promise<void>;
  #seat: { readonly number: number; readonly kept: KeptLease } | undefined;

  constructor(
    group: string,
    partitions: number,
    work: WorkOnPartition,
    dependencies: LeasedDependencies,
    tuning: LeasedTuning,
  ) {
    this.#partitions = partitions;
    this.#work = work;
    this.#dependencies = dependencies;
    this.#tuning = tuning;
    this.#keeper = new LeaseKeeper(tuning.ttl, dependencies);
    this.#owner = dependencies.randomness.uuid();
    this.#all = `${group}/`;
    this.#seats = `${group}/seat/`;
    this.#tenancies = `${group}/partition/`;
    this.#abstentions = new Abstentions(group, tuning.abstention, {
      acquire: (name) => this.#acquire(name),
      keeper: this.#keeper,
      clock: dependencies.clock,
    });
    this.#looking = this.#run();
  }

  held(): readonly number[] {
    const held = [...this.#tenures].filter(([, { ended }]) => ended === undefined);
    return held.map(([partition]) => partition).sort((left, right) => left - right);
  }

  /** The seat goes first, so that the others take what is given back as it comes. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const partitions = [...this.#tenures.keys()];
    await Promise.all([
      this.#seat?.kept.release(),
      ...partitions.map((partition) => this.#end(partition)),
      this.#looking,
    ]);
    await Promise.all(this.#abstentions.partitions.map((partition) => this.#abstentions.end(partition)));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#look();
      } catch (error) {
        this.#report(error, this.#seats);
      }
      await this.#dependencies.timer.sleep(this.#tuning.look, signal);
    }
  }

  async #look(): Promise<void> {
    const found = await this.#dependencies.leases.held(this.#all);
    const seated = found.filter(({ name }) => name.startsWith(this.#seats));
    const wasSeated = this.#seat !== undefined;
    await this.#sit(seated);
    // What is its share it sees at the next look, when the others have seen it too.
    if (!wasSeated) return;
    await this.#judgeOwnWork();
    const tenancies = found.filter(({ name }) => name.startsWith(this.#tenancies));
    const members = this.#members(seated);
    const abstainers = this.#abstainers(found);
    await this.#endAbstentions(members, abstainers);
    const division = { members, partitions: this.#partitions, holders: this.#holders(tenancies), abstainers };
    const { giveUp, take } = shareOf(this.#owner, division);
    for (const partition of giveUp) void this.#end(partition);
    await this.#take(take);
  }

  /** Abstains from what stands still, and no longer from what moves. */
  async #judgeOwnWork(): Promise<void> {
    const longEnough = this.#dependencies.clock.now() - 2 * this.#tuning.stallTimeoutMs;
    for (const [partition, { watch, ended, begunAt }] of this.#tenures) {
      if (ended !== undefined || watch === undefined) continue;
      const standing = watch.look();
      if (standing === undefined) {
        await this.#abstentions.end(partition);
        if (begunAt <= longEnough) this.#abstentions.forget(partition);
      } else if (!this.#abstentions.has(partition)) {
        await this.#abstentions.begin(partition);
        this.#report(new Error(`It is left to others, if there are any. ${standing}`), this.#nameOf(partition));
      }
    }
  }

  /** Tries again, after a while, what it left to others and has finished itself. */
  async #endAbstentions(members: readonly string[], abstainers: Map<number, Set<string>>): Promise<void> {
    for (const partition of this.#abstentions.partitions) {
      if (this.#tenures.has(partition)) continue;
      const doAll = members.every((member) => abstainers.get(partition)?.has(member));
      if (this.#abstentions.isOver(partition, doAll)) await this.#abstentions.end(partition);
    }
  }

  /** Partition → owners, with what this process itself says now. */
  #abstainers(found: readonly Lease[]): Map<number, Set<string>> {
    const abstainers = this.#abstentions.read(found.filter(({ owner }) => owner !== this.#owner));
    for (const partition of this.#abstentions.partitions) {
      abstainers.set(partition, (abstainers.get(partition) ?? new Set()).add(this.#owner));
    }
    return abstainers;
  }

  #holders(tenancies: readonly Lease[]): Map<number, string> {
    const holders = new Map<number, string>();
    for (const { name, owner } of tenancies) {
      // One of its own that it does not know of was lost, or is still on its way back: nobody's yet.
      holders.set(Number(name.slice(this.#tenancies.length)), owner === this.#owner ? '' : owner);
    }
    for (const partition of this.#tenures.keys()) holders.set(partition, this.#owner);
    return holders;
  }

  /** Those who are seated, by their seats. */
  #members(seated: readonly Lease[]): readonly string[] {
    return seated
      .map(({ name, owner }) => ({ owner, seat: Number(name.slice(this.#seats.length)) }))
      .sort((left, right) => left.seat - right.seat)
      .map(({ owner }) => owner);
  }

  /**
   * Takes the first seat that is free, if it comes before its own; where another was quicker, the next one. So one that
   * was left by a process that is gone is not taken for held by those who come later and have not watched it yet.
   */
  async #sit(seated: readonly Lease[]): Promise<void> {
    const taken = new Set(seated.map(({ name }) => name));
    const before = this.#seat;
    const end = before?.number ?? Infinity;
    for (let number = 0; number < end && !this.#isStopping(); number += 1) {
      const name = `${this.#seats}${number}`;
      const lease = taken.has(name) ? undefined : await this.#acquire(name);
      if (lease === undefined) continue;
      const kept = this.#keeper.keep(lease, () => {
        if (this.#seat?.kept === kept) this.#seat = undefined;
      });
      this.#seat = { number, kept };
      await before?.kept.release();
      if (this.#isStopping()) await kept.release();
      return;
    }
  }

  /** Begins the work on all of them together, when all questions are answered. */
  async #take(partitions: readonly number[]): Promise<void> {
    await Promise.all(
      partitions.map(async (partition) => {
        const name = this.#nameOf(partition);
        try {
          const lease = await this.#acquire(name);
          if (lease === undefined) return;
          const kept = this.#keeper.keep(lease, () => void this.#end(partition));
          this.#tenures.set(partition, {
            lease: kept,
            work: undefined,
            watch: undefined,
            begunAt: this.#dependencies.clock.now(),
            ended: undefined,
          });
          if (this.#isStopping()) await this.#end(partition);
        } catch (error) {
          this.#report(error, name);
        }
      }),
    );
    for (const partition of partitions) {
      const tenure = this.#tenures.get(partition);
      if (tenure !== undefined && tenure.ended === undefined) this.#begin(partition, tenure);
    }
  }

  #begin(partition: number, tenure: Tenure): void {
    if (tenure.work !== undefined) return;
    const work = this.#work(partition);
    tenure.work = work;
    const ask = work.progress?.bind(work);
    if (ask !== undefined) tenure.watch = new WorkWatch(ask, this.#dependencies.clock, this.#tuning.stallTimeoutMs);
  }

  /** Finishes the work on a partition, then gives it back. */
  #end(partition: number): Promise<void> {
    const tenure = this.#tenures.get(partition);
    if (tenure === undefined) return Promise.resolve();
    tenure.ended ??= this.#giveBack(partition, tenure);
    return tenure.ended;
  }

  /** Does not wait for ever for work that stands still: it may be what cannot end. */
  async #giveBack(partition: number, tenure: Tenure): Promise<void> {
    const stopped = this.#stop(partition, tenure.work);
    if (this.#abstentions.has(partition)) {
      const parting = new AbortController();
      const tooLong = this.#dependencies.timer.sleep(this.#tuning.partingMs, parting.signal);
      await Promise.race([stopped.then(() => parting.abort()), tooLong]);
    } else {
      await stopped;
    }
    await tenure.lease.release();
    await stopped;
    this.#tenures.delete(partition);
  }

  async #stop(partition: number, work: PartitionWork | undefined): Promise<void> {
    try {
      await work?.stop();
    } catch (error) {
      this.#report(error, this.#nameOf(partition));
    }
  }

  #nameOf(partition: number): string {
    return `${this.#tenancies}${partition}`;
  }

  #acquire(name: string): Promise<HeldLease | undefined> {
    return this.#dependencies.leases.acquire(name, this.#owner, this.#tuning.ttl);
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #report(error: unknown, lease: string): void {
    this.#dependencies.report?.(asError(error), lease);
  }
}
