/** Time and chance, injected so that a test, or a seed, decides them. */

/** What people read, and what is stored. Set forwards and back at any moment, so no duration is measured by it. */
export interface WallClock {
  /** Now. A `Date`, of which the compiler lets nobody subtract one from another. */
  time(): Date;
}

/** What passes: every duration, time-out, lease, cache and rate is measured by it. Never set; says nothing to people. */
export interface SteadyClock {
  /** Milliseconds since a moment that is the same for the life of the process. */
  now(): number;
}

/** Ids that nothing else has. */
export interface UuidSource {
  uuid(): string;
}

export interface Randomness extends UuidSource {
  bytes(length: number): Uint8Array;
}

/** Waiting, injected so that a test decides when it is over. */
export interface Timer {
  /** Resolves after so many milliseconds, sooner when `signal` aborts. Never rejects. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** RFC 3339 UTC with milliseconds. */
export function timestamp(clock: WallClock): string {
  return clock.time().toISOString();
}

/** Milliseconds since 1970-01-01T00:00:00Z: to hold what is stored against it, never a moment before. */
export function epochMs(clock: WallClock): number {
  return clock.time().getTime();
}
