import { setImmediate as nextTurn } from 'node:timers/promises';
import { further, type LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';

/** Puts each of these in place of one that is behind it, or of none. */
export type MoveForwards = (positions: ReadonlyMap<string, LogPosition>) => Promise<void>;

interface Mover {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Milliseconds for which a move that nobody waits for may wait for others. */
const answerTimeoutMs = 20;

/**
 * Moves positions forwards. Those that come while others are written are written together afterwards: every partition
 * of every consumer has one, and each call waits for a majority and its journals, whatever it carries.
 */
export class PositionMoves {
  readonly #write: MoveForwards;
  #waiting = new Map<string, LogPosition>();
  #movers: Mover[] = [];
  #isRunning = false;
  #isUrgent = false;
  #hurry: () => void = () => undefined;

  constructor(write: MoveForwards) {
    this.#write = write;
  }

  /**
   * Resolves when the position is there or further. `isUrgent`: someone may be waiting for it. Else, as where a batch
   * held nothing for the collection, it goes with others or after a while: such moves are most of all.
   */
  move(id: string, position: LogPosition, isUrgent: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, further(this.#waiting.get(id) ?? position, position));
      this.#movers.push({ resolve, reject });
      if (isUrgent) {
        this.#isUrgent = true;
        this.#hurry();
      }
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.size > 0) {
      if (!this.#isUrgent) await this.#wait();
      // What others move in this turn goes along.
      await nextTurn();
      const [positions, movers] = [this.#waiting, this.#movers];
      this.#waiting = new Map();
      this.#movers = [];
      this.#isUrgent = false;
      try {
        await this.#write(positions);
        for (const { resolve } of movers) resolve();
      } catch (error) {
        for (const { reject } of movers) reject(error);
      }
    }
    this.#isRunning = false;
  }

  /** Until one is urgent, or long enough. */
  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, answerTimeoutMs);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
