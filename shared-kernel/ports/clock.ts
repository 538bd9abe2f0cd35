/** Time and chance, injected so that a test, or a seed, decides them. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
}

export interface Randomness {
  bytes(length: number): Uint8Array;
  uuid(): string;
}

/** RFC 3339 UTC with milliseconds. */
export function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
