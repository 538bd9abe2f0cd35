import { asError } from '../as-error.js';
import type { SteadyClock, Timer } from '../ports/clock.js';
import type { HeldLease, LeaseStore } from '../ports/lease.js';

export interface LeaseDependencies {
  readonly leases: LeaseStore;
  /** The clock of the leases: steady, never set back or forth. */
  readonly clock: SteadyClock;
  readonly timer: Timer;
  /** Called with each fault after which it tries again, and the lease that it concerns. */
  readonly report?: (fault: Error, lease: string) => void;
}

export interface KeptLease {
  /** Gives the lease back, even if it was lost, for it may still be recorded for a while. Never rejects. */
  release(): Promise<void>;
}

/** How often leases are renewed, and how long before its end one counts as lost: parts of its time. */
const parts = 4;

interface Keeping {
  lease: HeldLease;
  readonly lost: () => void;
}

/**
 * Renews leases that were taken for `ttl` milliseconds until they are given back, all of them in one request. A lease
 * is lost if another owner has it, or if it could not be renewed in time. It counts as lost a quarter of its time
 * before its end, so that work can finish; later if the process was asleep.
 */
export class LeaseKeeper {
  readonly #ttl: number;
  readonly #dependencies: LeaseDependencies;
  readonly #kept = new Set<Keeping>();
  #nap = new AbortController();
  #isKeeping = false;

  constructor(ttl: number, dependencies: LeaseDependencies) {
    this.#ttl = ttl;
    this.#dependencies = dependencies;
  }

  /** `lost` is called once, and never after it was given back. */
  keep(lease: HeldLease, lost: () => void): KeptLease {
    const keeping = { lease, lost };
    this.#kept.add(keeping);
    if (!this.#isKeeping) void this.#keep();
    return {
      release: async () => {
        this.#kept.delete(keeping);
        if (this.#kept.size === 0) this.#nap.abort();
        try {
          await this.#dependencies.leases.release(lease);
        } catch (error) {
          this.#report(error, lease.name);
        }
      },
    };
  }

  async #keep(): Promise<void> {
    const { clock, timer } = this.#dependencies;
    this.#isKeeping = true;
    while (this.#kept.size > 0) {
      this.#nap = new AbortController();
      await timer.sleep(Math.min(this.#ttl / parts, this.#firstEnd() - clock.now()), this.#nap.signal);
      this.#letLapse();
      if (this.#kept.size > 0) await this.#renew();
      this.#letLapse();
    }
    this.#isKeeping = false;
  }

  /** When the first of them counts as lost. */
  #firstEnd(): number {
    return Math.min(...[...this.#kept].map((keeping) => this.#endOf(keeping)));
  }

  #endOf({ lease }: Keeping): number {
    return lease.heldUntil - this.#ttl / parts;
  }

  #letLapse(): void {
    const now = this.#dependencies.clock.now();
    for (const keeping of [...this.#kept]) if (now >= this.#endOf(keeping)) this.#lose(keeping);
  }

  #lose(keeping: Keeping): void {
    if (this.#kept.delete(keeping)) keeping.lost();
  }

  /** Waits for the answer up to the end of the first of them; one that comes later counts for those that last longer. */
  async #renew(): Promise<void> {
    const { clock, timer } = this.#dependencies;
    const answered = new AbortController();
    const { signal } = this.#nap;
    const asking = this.#ask([...this.#kept]).finally(() => answered.abort());
    const waiting = timer.sleep(this.#firstEnd() - clock.now(), AbortSignal.any([answered.signal, signal]));
    await Promise.race([asking, waiting]);
  }

  async #ask(asked: readonly Keeping[]): Promise<void> {
    try {
      const leases = asked.map(({ lease }) => lease);
      const renewed = new Map(
        (await this.#dependencies.leases.renew(leases, this.#ttl)).map((lease) => [lease.name, lease]),
      );
      for (const keeping of asked) {
        const lease = renewed.get(keeping.lease.name);
        if (lease === undefined) this.#lose(keeping);
        else if (lease.heldUntil > keeping.lease.heldUntil) keeping.lease = lease;
      }
    } catch (error) {
      for (const keeping of asked) if (this.#kept.has(keeping)) this.#report(error, keeping.lease.name);
    }
  }

  #report(error: unknown, lease: string): void {
    this.#dependencies.report?.(asError(error), lease);
  }
}
