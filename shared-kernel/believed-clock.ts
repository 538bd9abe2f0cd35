import { epochMs, type SteadyClock, type WallClock } from './ports/clock.js';

/** Milliseconds, by the steady clock, for which a wall clock has to stay ahead before that is believed. */
export const probationMs = 60_000;

export interface TwoClocks {
  /** May be set forwards and back at any moment. */
  readonly wallClock: WallClock;
  /** Never set: says only how much time passes. */
  readonly steadyClock: SteadyClock;
}

/** The wall clock as it is believed, watched once where it is believed already. */
export function believedClock(clocks: TwoClocks): BelievedClock {
  return clocks.wallClock instanceof BelievedClock ? clocks.wallClock : new BelievedClock(clocks);
}

/**
 * A wall clock without short jumps ahead. If it suddenly runs ahead of the steady clock, the new time counts only after
 * a minute; a step back counts at once. The minute begins when the jump is first seen, so ask this clock now and then.
 */
export class BelievedClock implements WallClock {
  readonly #clocks: TwoClocks;
  /** By how much the wall clock is ahead of the steady one, as far as is believed, milliseconds. */
  #ahead: number;
  /** What it is more by, and since when; the least that was seen since then. */
  #probation: { readonly sinceMs: number; readonly ahead: number } | undefined;

  constructor(clocks: TwoClocks) {
    this.#clocks = clocks;
    this.#ahead = epochMs(clocks.wallClock) - clocks.steadyClock.now();
  }

  time(): Date {
    const steady = this.#clocks.steadyClock.now();
    this.#watch(epochMs(this.#clocks.wallClock) - steady, steady);
    return new Date(steady + this.#ahead);
  }

  #watch(ahead: number, steady: number): void {
    if (ahead <= this.#ahead) {
      this.#ahead = ahead;
      this.#probation = undefined;
      return;
    }
    const probation = {
      sinceMs: this.#probation?.sinceMs ?? steady,
      ahead: Math.min(this.#probation?.ahead ?? ahead, ahead),
    };
    if (steady - probation.sinceMs < probationMs) {
      this.#probation = probation;
      return;
    }
    this.#ahead = probation.ahead;
    this.#probation = probation.ahead < ahead ? { sinceMs: steady, ahead } : undefined;
  }
}
