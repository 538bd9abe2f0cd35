/** Time and chance, injected so that a test, or a seed, decides them. */

/**
 * The time that people read and events store. It may be set forwards or back at any moment, so it measures no duration.
 */
export interface WallClock {
  /** Now. The compiler refuses to subtract one such `Date` from another. */
  time(): Date;
}

/** Measures every duration, time-out, lease, cache and rate. It is never set, and tells no date. */
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
