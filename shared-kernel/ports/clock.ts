/** Time and chance, injected so that a test, or a seed, decides them. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
}

export interface Randomness {
  bytes(length: number): Uint8Array;
  uuid(): string;
}

/** Waiting, injected so that a test decides when it is over. */
export interface Timer {
  /** Resolves after so many milliseconds, sooner when `signal` aborts. Never rejects. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** RFC 3339 UTC with milliseconds. */
export function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
