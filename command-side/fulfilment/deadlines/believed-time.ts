import { BelievedClock, probationMs, type TwoClocks } from '@waybill/shared-kernel/believed-clock.js';
import { epochMs, type SteadyClock, type WallClock } from '@waybill/shared-kernel/ports/clock.js';

/**
 * What time it is, as far as the process manager believes it: the lesser of the wall clock, where that does not jump
 * ahead, and the log's own clock, so that a clock which runs ahead makes nothing late. Of the log's clock the last event
 * tells that was seen as it was recorded, and the steady time since. Where both agreed after a minute, and where the log was ahead
 * as this began, a wall clock that is behind the log counts for nothing: nobody waits until it comes there.
 */
export class BelievedTime implements WallClock {
  readonly #present: BelievedClock;
  readonly #wallClock: WallClock;
  readonly #steadyClock: SteadyClock;
  readonly #beganAt: number;
  /** When the event was recorded that was seen last, milliseconds since 1970. */
  #recordedMs = -Infinity;
  /** By how much the log's clock is ahead of the steady one; infinite until an event was seen live. */
  #logAhead = Infinity;
  /** The same of the last event that was not ahead of what was believed, or that the log ended with at the beginning. */
  #agreedAhead = -Infinity;

  constructor({ wallClock, steadyClock }: TwoClocks) {
    const latest = {
      time: () => new Date(Math.max(epochMs(wallClock), steadyClock.now() + this.#agreedAhead)),
    };
    this.#present = new BelievedClock({ wallClock: latest, steadyClock });
    this.#wallClock = wallClock;
    this.#steadyClock = steadyClock;
    this.#beganAt = steadyClock.now();
  }

  time(): Date {
    return new Date(Math.min(epochMs(this.#present), this.#steadyClock.now() + this.#logAhead));
  }

  /**
   * Whether the clocks have been watched for as long as it takes to believe one of them. Until then nothing is done by
   * it that cannot be undone: where a process begins, nobody knows whether the wall clock has just jumped ahead.
   */
  isProven(): boolean {
    return this.#steadyClock.now() - this.#beganAt >= probationMs;
  }

  /** Takes the time at which an event was recorded that is read just now, as the log comes to it. RFC 3339. */
  seeLive(recordedAt: string): void {
    const recordedMs = Date.parse(recordedAt);
    // A log that waits for a clock to come to its last time: time passes all the same.
    if (recordedMs === this.#recordedMs) return;
    this.#recordedMs = recordedMs;
    this.#logAhead = recordedMs - this.#steadyClock.now();
    if (this.isProven() && recordedMs <= epochMs(this.#present)) this.#agreedAhead = this.#logAhead;
  }

  /** Takes when the log's last event was recorded, as a partition begins. It tells the time where that is yet to come. */
  seeLast(recordedAt: string): void {
    if (Date.parse(recordedAt) <= epochMs(this.#wallClock)) return;
    this.seeLive(recordedAt);
    this.#agreedAhead = this.#logAhead;
  }
}
