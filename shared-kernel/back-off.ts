import type { Randomness } from './ports/clock.js';

/** How long to wait before trying again, milliseconds. */
export interface BackOff {
  /** Upper bound of the first wait; it doubles with each failure. */
  readonly first: number;
  /** No wait is longer. */
  readonly most: number;
}

/** Exponential back-off with full jitter: anything from 0 to the bound after `failures` (from 0) earlier failures. */
export function backOffDelay({ first, most }: BackOff, failures: number, randomness: Randomness): number {
  const bound = Math.min(most, first * 2 ** failures);
  const fraction = Buffer.from(randomness.bytes(4)).readUInt32BE() / 2 ** 32;
  return Math.floor(fraction * (bound + 1));
}
