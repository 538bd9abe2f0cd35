import type { Clock, Timer } from './ports/clock.js';
import type { HeldLease, LeaseStore } from './ports/lease.js';

export interface LeaseMeans {
  readonly leases: LeaseStore;
  /** The clock of the leases: steady, never set back or forth. */
  readonly clock: Clock;
  readonly timer: Timer;
  /** Told of each fault after which it tries again, and of the lease that it concerns. */
  readonly report?: (fault: Error, lease: string) => void;
}

export interface KeptLease {
  /** Gives it back, also when it was lost: it may stand there a little longer. Never rejects. */
  release(): Promise<void>;
}

/** How often a lease is renewed, and how long before its end it counts as lost: parts of its time. */
const parts = 4;

/**
 * Renews a lease that was taken for `ttl` milliseconds until it is given back. When it is another's, or could not be
 * renewed in time, `lost` is called, once: a quarter of its time before its end, so that work can end in peace, or
 * as soon after that as this process is awake.
 */
export function keepLease(held: HeldLease, ttl: number, means: LeaseMeans, lost: () => void): KeptLease {
  const { leases, clock, timer } = means;
  const released = new AbortController();
  const isReleased = (): boolean => released.signal.aborted;
  const report = (error: unknown): void => {
    means.report?.(error instanceof Error ? error : new Error(String(error)), held.name);
  };

  async function keep(): Promise<void> {
    for (let lease: HeldLease | undefined = held; lease !== undefined;) {
      const end: number = lease.heldUntil - ttl / parts;
      await timer.sleep(Math.min(ttl / parts, end - clock.now()), released.signal);
      if (isReleased()) return;
      lease = clock.now() < end ? await renewed(lease, end) : undefined;
    }
    if (!isReleased()) lost();
  }

  /** The lease, renewed if there was an answer; `undefined`: it is another's, or there was none up to the end. */
  async function renewed(lease: HeldLease, end: number): Promise<HeldLease | undefined> {
    const answered = new AbortController();
    const waiting = timer.sleep(end - clock.now(), AbortSignal.any([answered.signal, released.signal]));
    const asking = leases.renew(lease, ttl).catch((error: unknown) => {
      report(error);
      return lease;
    });
    try {
      return await Promise.race([asking, waiting.then(() => undefined)]);
    } finally {
      answered.abort();
    }
  }

  void keep();
  return {
    release: async () => {
      released.abort();
      try {
        await leases.release(held);
      } catch (error) {
        report(error);
      }
    },
  };
}
