import { LRUCache } from 'lru-cache';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';

const minute = 60_000;
/** Whoever was not heard of for the longest is forgotten first. */
const mostCounted = 50_000;

/**
 * So many requests a minute for each who asks: a minute's worth at once, then as they come back, evenly. Of each it
 * keeps one number (the generic cell rate algorithm); what was refused does not count.
 */
export class RateLimit {
  /** When all that was taken will have come back, by the clock. */
  readonly #whole = new LRUCache<string, number>({ max: mostCounted });
  readonly #clock: SteadyClock;
  /** Milliseconds in which one comes back. */
  readonly #each: number;

  /** `clock`: one that is never set back. */
  constructor(perMinute: number, clock: SteadyClock) {
    this.#clock = clock;
    this.#each = minute / perMinute;
  }

  /** Takes one for `whom`. Answers 0, or in how many whole seconds there is one again: then nothing was taken. */
  take(whom: string): number {
    const now = this.#clock.now();
    const whole = Math.max(now, this.#whole.get(whom) ?? now) + this.#each;
    const wait = whole - minute - now;
    // Sums of fractions miss a whole minute by less than this.
    if (wait > 0.01) return Math.ceil(wait / 1000);
    this.#whole.set(whom, whole);
    return 0;
  }
}
