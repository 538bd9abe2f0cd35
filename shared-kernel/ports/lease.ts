/** The right to do something alone, for a while. */
export interface Lease {
  readonly name: string;
  readonly owner: string;
  /**
   * Fencing token: greater than that of every lease of this name before. What is guarded may remember the greatest it
   * has met and refuse lesser ones, since a holder can be late without knowing.
   */
  readonly token: number;
}

/** A lease that this process got. */
export interface HeldLease extends Lease {
  /**
   * Until when nobody else can have it, milliseconds on this process's own clock, counted from before it was asked
   * for. Whoever holds it stops acting by then unless it was renewed.
   */
  readonly heldUntil: number;
}

/**
 * Leases, such as that of the relay's leader or of a partition. Promises of every adapter, checked by
 * `lease.contract.ts`:
 *
 * - At any time a lease has at most one holder, whatever the clocks of machines say; they need but run equally fast.
 * - A lease whose holder is gone can be had by others once they have watched it stand still for as long as it was
 *   taken for. So whoever wants it asks again and again, and gets it that long, and a question more, after the end.
 * - Tokens of a name only ever rise.
 *
 * A name is remembered for ever: take names from a small set, such as numbered seats, not from ids of processes.
 */
export interface LeaseStore {
  /** Takes a lease that nobody holds for `ttl` milliseconds; `undefined`: somebody holds it, perhaps this owner. */
  acquire(name: string, owner: string, ttl: number): Promise<HeldLease | undefined>;
  /**
   * Holds them `ttl` milliseconds from now on, all with one question, and answers with those that it holds; one that
   * is not among them somebody else has, or it was released. Each is renewed or not for itself.
   */
  renew(leases: readonly Lease[], ttl: number): Promise<readonly HeldLease[]>;
  /** Gives it back, so that another can have it at once. Silence if it is another's already. */
  release(lease: Lease): Promise<void>;
  /** Leases whose names begin with `prefix` and which, as far as this process has watched, are held; by name. */
  held(prefix: string): Promise<readonly Lease[]>;
  close(): Promise<void>;
}
