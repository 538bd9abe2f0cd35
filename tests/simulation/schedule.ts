import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';

/** A process that does one thing after the other: nothing of it comes in between something else of it. */
export type Process = 'fulfilment' | 'payments' | 'projection';

/** Something that waits for its turn. */
interface Waiting {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Of those at the same moment the first that came goes first. */
  readonly place: number;
  readonly process: Process | undefined;
  readonly go: () => void;
}

/** Milliseconds by which a turn may come early to be in between another. */
const near = 2_000;

/**
 * Virtual time, and who has their turn in it. Stories are asynchronous functions that `pause`; from one pause to the
 * next is a turn, and there is one turn at a time, so the same stories make the same log. Where a turn says so, the one
 * after it may come in between: that is how two do something at the same moment.
 */
export class Schedule {
  readonly clock: VirtualClock;
  /** Whoever waits without giving up the turn: time goes on, and nobody else does anything. */
  readonly timer: Timer;
  /** Those that wait, the next one last. */
  #waiting: Waiting[] = [];
  #places = 0;
  #endTurn = (): void => {};
  #process: Process | undefined;
  #isInBetween = false;
  #fault: { readonly of: unknown } | undefined;

  constructor(start: string) {
    this.clock = virtualClock(start);
    this.timer = { sleep: async (milliseconds) => this.clock.advance(milliseconds) };
  }

  /** Has a story begin after so many milliseconds. */
  begin(story: () => Promise<unknown>, after = 0, process?: Process): void {
    this.#wait(after, process, () => {
      story()
        .catch((of: unknown) => (this.#fault ??= { of }))
        .finally(() => this.#endTurn());
    });
  }

  /** Ends the turn of the story that calls it; the next one comes after so many milliseconds. */
  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wait(milliseconds, this.#process, resolve);
      this.#endTurn();
    });
  }

  /** Lets all have their turns until a moment, milliseconds since 1970. Rejects with the first fault of a story. */
  async run(until: number): Promise<void> {
    for (let next = this.#waiting.at(-1); next !== undefined && next.at <= until; next = this.#waiting.at(-1)) {
      this.#waiting.pop();
      await this.#turn(next);
      if (this.#fault !== undefined) throw this.#fault.of;
    }
    this.#advanceTo(until);
  }

  /** From now on only processes do something. */
  keepProcesses(): void {
    this.#waiting = this.#waiting.filter(({ process }) => process !== undefined);
  }

  /** Called within a turn: what comes next comes now, if it is about to and not of `process`. Whether it did. */
  async interrupt(process: Process | undefined): Promise<boolean> {
    const next = this.#waiting.at(-1);
    if (this.#isInBetween || next === undefined || next.at > this.clock.now() + near) return false;
    if (process !== undefined && next.process === process) return false;
    this.#isInBetween = true;
    this.#waiting.pop();
    await this.#turn(next);
    this.#isInBetween = false;
    return true;
  }

  async #turn({ at, process, go }: Waiting): Promise<void> {
    const outer = { endTurn: this.#endTurn, process: this.#process };
    this.#advanceTo(at);
    this.#process = process;
    await new Promise<void>((resolve) => {
      this.#endTurn = resolve;
      go();
    });
    this.#endTurn = outer.endTurn;
    this.#process = outer.process;
  }

  #wait(after: number, process: Process | undefined, go: () => void): void {
    const one = { at: this.clock.now() + after, place: (this.#places += 1), process, go };
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#waiting[middle]!.at > one.at) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, one);
  }

  #advanceTo(at: number): void {
    this.clock.advance(Math.max(0, at - this.clock.now()));
  }
}
