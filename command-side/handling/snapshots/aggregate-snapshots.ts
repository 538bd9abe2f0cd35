import { asError } from '@waybill/shared-kernel/as-error.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { SteadyClock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { SnapshotStore } from '@waybill/shared-kernel/ports/snapshots.js';
import { readSnapshot, writeSnapshot, type Snapshot } from './snapshot.js';

export interface SnapshotDependencies {
  readonly store: SnapshotStore;
  readonly timer: Timer;
  /** Never set back. */
  readonly clock: SteadyClock;
  /** Called with the reason why a snapshot is not used, and with faults of the store. */
  readonly report: (fault: Error, of: string) => void;
  /** Called with how each look for one ended; `miss`: there is none, or it did not come in time. */
  readonly count?: ((result: 'hit' | 'miss' | 'ignored') => void) | undefined;
}

/** Times in milliseconds. */
export interface SnapshotTuning {
  /** Events after which the next snapshot is due. */
  readonly every: number;
  /** Requests that a snapshot may hold for each of those events: with more of them it is due later. */
  readonly requestsForEach: number;
  /** What finding one may take; after it, the events are read instead. */
  readonly answerTimeoutMs: number;
  /** What saving one may take. */
  readonly savePatience: number;
  /** How long the store is left alone after a fault. */
  readonly rest: number;
  /** How many are saved at once; what is due beyond them is due again later. */
  readonly saves: number;
  /** UTF-16 units of a snapshot that is not kept any more. */
  readonly largest: number;
}

export const snapshotTuning: SnapshotTuning = {
  every: 20,
  requestsForEach: 50,
  answerTimeoutMs: 100,
  savePatience: 2_000,
  rest: 5_000,
  saves: 32,
  largest: 1_000_000,
};

const what = 'snapshot store';

/**
 * Snapshots as commands use them: a help that may fail. Nothing here rejects, and a store that is down or hangs costs
 * one command in `rest` its time limit, the others nothing.
 */
export class AggregateSnapshots {
  readonly #dependencies: SnapshotDependencies;
  readonly #tuning: SnapshotTuning;
  readonly #underWay = new Set<Promise<void>>();
  #restsUntil = -Infinity;

  constructor(dependencies: SnapshotDependencies, tuning: Partial<SnapshotTuning> = {}) {
    this.#dependencies = dependencies;
    this.#tuning = { ...snapshotTuning, ...tuning };
  }

  /**
   * Whether one is due at a revision, the last being of another (−1: there is none). One that holds many requests is due
   * less often: it costs as much as they are many, and each event then bears the cost of a few of them, however many.
   */
  isDue(revision: number, last: number, requests: number): boolean {
    return revision - last >= Math.max(this.#tuning.every, requests / this.#tuning.requestsForEach);
  }

  /** That of a stream, where there is one, in time, whole and of this version. The log has the last word on it. */
  async find<State>(stream: string, version: number): Promise<Snapshot<State> | undefined> {
    const stored = await this.#within(this.#tuning.answerTimeoutMs, () => this.#dependencies.store.load(stream));
    const snapshot = stored && readSnapshot<State>(stream, version, stored);
    this.#dependencies.count?.(outcomeOf(snapshot));
    if (snapshot === undefined || !('why' in snapshot)) return snapshot;
    this.#sayIgnored(stream, snapshot.why);
    if (snapshot.isWrong) this.#remove(stream);
    return undefined;
  }

  /** Keeps one, in the background. */
  save<State>(stream: string, version: number, snapshot: () => Snapshot<State>): void {
    if (this.#underWay.size >= this.#tuning.saves) return;
    this.#inBackground(async () => {
      // The command is answered first.
      await new Promise((resolve) => setImmediate(resolve));
      const stored = writeSnapshot(stream, version, snapshot());
      const { length } = stored.text;
      if (length > this.#tuning.largest) {
        this.#say(`A snapshot of ${stream} would be too large: ${length} characters.`);
        return;
      }
      await this.#within(this.#tuning.savePatience, () => this.#dependencies.store.save(stream, stored));
    });
  }

  /** Throws away one that the log does not agree with, in the background. */
  discard(stream: string, why: string): void {
    this.#sayIgnored(stream, why);
    this.#remove(stream);
  }

  /** Resolves when nothing is under way in the background. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Finishes what is under way, and closes the store. */
  async close(): Promise<void> {
    await this.settled();
    await this.#dependencies.store.close();
  }

  #remove(stream: string): void {
    this.#inBackground(async () => {
      await this.#within(this.#tuning.savePatience, () => this.#dependencies.store.remove(stream));
    });
  }

  #inBackground(work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => this.#dependencies.report(asError(error), what))
      .finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  #sayIgnored(stream: string, why: string): void {
    this.#say(`The snapshot of ${stream} is ignored: ${why}.`);
  }

  #say(text: string): void {
    this.#dependencies.report(new Error(text), 'snapshot');
  }

  /** `undefined` where the store did not answer, or is not asked because it did not lately. */
  async #within<T>(answerTimeoutMs: number, work: () => Promise<T>): Promise<T | undefined> {
    const { timer, clock, report } = this.#dependencies;
    if (clock.now() < this.#restsUntil) return undefined;
    const answered = new AbortController();
    const tooLate = timer.sleep(answerTimeoutMs, answered.signal).then(() => {
      if (!answered.signal.aborted) throw new Unavailable(what, `It did not answer within ${answerTimeoutMs} ms.`);
      return undefined;
    });
    try {
      return await Promise.race([work(), tooLate]);
    } catch (error) {
      // Of all that were waiting for it, the first says so.
      if (clock.now() >= this.#restsUntil) report(asError(error), what);
      this.#restsUntil = clock.now() + this.#tuning.rest;
      return undefined;
    } finally {
      answered.abort();
    }
  }
}

function outcomeOf(found: object | undefined): 'hit' | 'miss' | 'ignored' {
  if (found === undefined) return 'miss';
  return 'why' in found ? 'ignored' : 'hit';
}
