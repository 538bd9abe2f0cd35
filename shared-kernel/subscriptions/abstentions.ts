import type { KeptLease, LeaseKeeper } from '../partitions/keep-leases.js';
import type { SteadyClock } from '../ports/clock.js';
import type { HeldLease, Lease } from '../ports/lease.js';

/** Milliseconds that a process leaves a partition to others after its work on it did not move. */
export interface AbstentionTuning {
  /** After the first time; it doubles with each time in a row. */
  readonly firstMs: number;
  /** No abstention is longer. */
  readonly mostMs: number;
  /** Nor is it longer than this while everybody abstains, so that whoever can work again has its turn soon. */
  readonly mostInTurnMs: number;
}

export interface AbstentionDependencies {
  readonly acquire: (name: string) => Promise<HeldLease | undefined>;
  readonly keeper: LeaseKeeper;
  readonly clock: SteadyClock;
}

interface Abstention {
  readonly lease: KeptLease;
  /** From when on its time runs; `undefined` while the partition is held: then it lasts until the work moves. */
  since: number | undefined;
}

/**
 * The partitions of which a process says that it cannot work on them. It says so by leases,
 * `<group>/abstention/<partition>/<number>`, so that all others reckon with it and it ends when the process is gone.
 */
export class Abstentions {
  readonly #prefix: string;
  readonly #tuning: AbstentionTuning;
  readonly #dependencies: AbstentionDependencies;
  readonly #present = new Map<number, Abstention>();
  /** Partition → how often in a row it began to abstain from it. */
  readonly #failures = new Map<number, number>();

  constructor(group: string, tuning: AbstentionTuning, dependencies: AbstentionDependencies) {
    this.#prefix = `${group}/abstention/`;
    this.#tuning = tuning;
    this.#dependencies = dependencies;
  }

  /** Those of `found` that are abstentions: partition → owners. */
  read(found: readonly Lease[]): Map<number, Set<string>> {
    const abstainers = new Map<number, Set<string>>();
    for (const { name, owner } of found) {
      if (!name.startsWith(this.#prefix)) continue;
      const partition = Number(name.slice(this.#prefix.length).split('/')[0]);
      abstainers.set(partition, (abstainers.get(partition) ?? new Set()).add(owner));
    }
    return abstainers;
  }

  get partitions(): readonly number[] {
    return [...this.#present.keys()];
  }

  has(partition: number): boolean {
    return this.#present.has(partition);
  }

  /** Abstains from a partition that this process holds. */
  async begin(partition: number): Promise<void> {
    for (let number = 0; ; number += 1) {
      const lease = await this.#dependencies.acquire(`${this.#prefix}${partition}/${number}`);
      if (lease === undefined) continue;
      const kept = this.#dependencies.keeper.keep(lease, () => {
        if (this.#present.get(partition)?.lease === kept) this.#present.delete(partition);
      });
      this.#present.set(partition, { lease: kept, since: undefined });
      this.#failures.set(partition, (this.#failures.get(partition) ?? 0) + 1);
      return;
    }
  }

  /**
   * The work on a partition goes well, for so long that what failed before counts no more. Only that partition's own
   * work can tell: if the rest of it did, two processes that cannot work on it would hand it to each other for ever.
   */
  forget(partition: number): void {
    if (!this.#present.has(partition)) this.#failures.delete(partition);
  }

  /**
   * Whether its time is over, which runs from when this is first asked. To be asked when the partition is given back.
   * `doAll`: whether all who share abstain from it.
   */
  isOver(partition: number, doAll: boolean): boolean {
    const abstention = this.#present.get(partition);
    if (abstention === undefined) return true;
    const now = this.#dependencies.clock.now();
    abstention.since ??= now;
    const { firstMs, mostMs, mostInTurnMs } = this.#tuning;
    const lasting = firstMs * 2 ** ((this.#failures.get(partition) ?? 1) - 1);
    return now - abstention.since >= Math.min(lasting, doAll ? mostInTurnMs : mostMs);
  }

  async end(partition: number): Promise<void> {
    const abstention = this.#present.get(partition);
    if (abstention === undefined) return;
    this.#present.delete(partition);
    await abstention.lease.release();
  }
}
