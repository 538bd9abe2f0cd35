import type { TwoClocks } from './believed-clock.js';
import type { RecordedEvent } from './message.js';
import { epochMs, type WallClock } from './ports/clock.js';
import { beginning } from './ports/event-store.js';

/**
 * Now, for a reader of the log. It is the wall clock's time; if the log was recorded by a clock that is ahead, it is
 * the time of the log's last event plus the steady time since that was read. So no recorded event lies in the future,
 * and what waits grows older.
 */
export class LogTime implements WallClock {
  readonly #clocks: TwoClocks;
  /** By how much the log is ahead of the steady clock, milliseconds, by the last event that was read of it. */
  #logAhead = -Infinity;
  #lastPosition = beginning;

  constructor(clocks: TwoClocks) {
    this.#clocks = clocks;
  }

  /** Takes an event that was read just now. One that is not later than what was read before says nothing. */
  see({ position, recordedAt }: Pick<RecordedEvent, 'position' | 'recordedAt'>): void {
    if (position <= this.#lastPosition) return;
    this.#lastPosition = position;
    this.#logAhead = Date.parse(recordedAt) - this.#clocks.steadyClock.now();
  }

  time(): Date {
    const { wallClock, steadyClock } = this.#clocks;
    return new Date(Math.max(epochMs(wallClock), steadyClock.now() + this.#logAhead));
  }
}
