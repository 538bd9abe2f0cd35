/** The right of one owner to do something alone for a while. */
export interface Lease {
  readonly name: string;
  readonly owner: string;
  /**
   * Fencing token: greater than that of every earlier lease of this name. The guarded resource may remember the
   * greatest and refuse lesser ones, because a holder can be late without knowing.
   */
  readonly token: number;
}

/** A lease that this process got. */
export interface HeldLease extends Lease {
  /**
   * The time until which nobody else can get it, in milliseconds of this process's own clock, counted from before the
   * request. The holder stops acting by then unless it has renewed the lease.
   */
  readonly heldUntil: number;
}

/**
 * Leases, such as that of the relay's leader or of a partition. Promises of every adapter, checked by
 * `lease.contract.ts`:
 *
 * - A lease has at most one holder at any time, whatever the clocks of machines say, as long as they run equally fast.
 * - Others can take the lease of a holder that is gone once they have seen it unchanged for the time it was taken for.
 *   So they ask again and again, and get it after that time and one more request.
 * - Tokens of a name only ever rise.
 *
 * A name is remembered for ever: take names from a small set, such as numbered seats, not from ids of processes.
 */
export interface LeaseStore {
  /** Takes a free lease for `ttl` milliseconds; `undefined`: it is held, perhaps by this owner. */
  acquire(name: string, owner: string, ttl: number): Promise<HeldLease | undefined>;
  /**
   * Renews leases for `ttl` milliseconds from now, in one request. Answers with those that were renewed; the others
   * were released, or another owner has them.
   */
  renew(leases: readonly Lease[], ttl: number): Promise<readonly HeldLease[]>;
  /** Gives the lease back, so that others can take it at once. A no-op if another owner has it. */
  release(lease: Lease): Promise<void>;
  /** Leases whose names begin with `prefix` and which, as far as this process has watched, are held; by name. */
  held(prefix: string): Promise<readonly Lease[]>;
  close(): Promise<void>;
}
