import { setImmediate as endOfTurn } from 'node:timers/promises';
import { isBusy, type Database } from './database.js';
import { whenFree } from './when-free.js';

interface Waiting {
  readonly run: () => void;
  readonly fail: (reason: unknown) => void;
  /** Hands out what the last run came to; only once that is committed. */
  readonly settle: () => void;
}

/**
 * Commits what is written in one turn of the event loop as one transaction: it flushes once, and pages that several
 * writers touch are written once. Each piece of work is whole or not at all; where one fails, the others go in without
 * it, each by itself. Work may run more than once and must bear that.
 */
export class WriteGroup {
  readonly #database: Database;
  readonly #lockTimeoutMs: number | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #commits = 0;

  /** `lockTimeoutMs`: how long a commit waits for the locks of others, see `whenFree`. */
  constructor(database: Database, lockTimeoutMs?: number) {
    this.#database = database;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  /** Transactions committed so far. */
  get commits(): number {
    return this.#commits;
  }

  commit<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      this.#waiting.push({
        run: () => (result = work()),
        settle: () => {
          resolve(result);
        },
        fail: reject,
      });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await endOfTurn();
      const group = this.#waiting.splice(0);
      const fault = await this.#together(group);
      if (fault === undefined) continue;
      if (group.length === 1 || isBusy(fault)) for (const { fail } of group) fail(fault);
      else for (const one of group) await this.#alone(one);
    }
    this.#running = undefined;
  }

  /** Why it failed, if it did; nothing of the group is written then. */
  async #together(group: readonly Waiting[]): Promise<unknown> {
    try {
      await this.#transaction(() => {
        for (const { run } of group) run();
      });
    } catch (error) {
      return error;
    }
    for (const { settle } of group) settle();
    return undefined;
  }

  async #alone({ run, settle, fail }: Waiting): Promise<void> {
    try {
      await this.#transaction(run);
      settle();
    } catch (error) {
      fail(error);
    }
  }

  async #transaction(work: () => void): Promise<void> {
    await whenFree(() => {
      this.#database.immediate(work);
    }, this.#lockTimeoutMs);
    this.#commits += 1;
  }
}
