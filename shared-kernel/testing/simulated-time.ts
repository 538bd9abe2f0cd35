import type { SteadyClock, Timer, WallClock } from '../ports/clock.js';
import { turns } from './turns.js';

/** A process as time sees it: its clock runs as fast as all others, from a time of its own. */
export interface SimulatedProcess {
  readonly clock: WallClock & SteadyClock;
  readonly timer: Timer;
  /** None of its waits ends any more: it stands still, or was killed. */
  readonly stall: () => void;
  /** All waits that are over by now end. */
  readonly wake: () => void;
}

interface Sleeper {
  readonly due: number;
  readonly end: () => void;
}

/** Time that passes when a test says so, for any number of processes. */
export class SimulatedTime {
  #now = 0;
  readonly #awake = new Set<Set<Sleeper>>();

  process(offset = 0): SimulatedProcess {
    const sleepers = new Set<Sleeper>();
    this.#awake.add(sleepers);
    return {
      clock: { now: () => this.#now + offset, time: () => new Date(this.#now + offset) },
      timer: { sleep: (milliseconds, signal) => this.#sleep(sleepers, milliseconds, signal) },
      stall: () => void this.#awake.delete(sleepers),
      wake: () => void this.#awake.add(sleepers),
    };
  }

  /** Lets time pass from wait to wait, and everything happen that follows from the end of each. */
  async pass(milliseconds: number, atEachMoment: () => void = () => {}): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await turns();
      atEachMoment();
      const due = Math.min(...[...this.#awake].flatMap((sleepers) => [...sleepers].map((sleeper) => sleeper.due)));
      if (due > end) break;
      this.#now = Math.max(this.#now, due);
      for (const sleepers of this.#awake) {
        for (const sleeper of [...sleepers]) if (sleeper.due <= this.#now) sleeper.end();
      }
    }
    this.#now = end;
  }

  #sleep(sleepers: Set<Sleeper>, milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        sleepers.delete(sleeper);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const sleeper = { due: this.#now + Math.max(1, milliseconds), end };
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      sleepers.add(sleeper);
      signal?.addEventListener('abort', end);
    });
  }
}
