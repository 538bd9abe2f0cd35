import { asError } from '@waybill/shared-kernel/as-error.js';
import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import type { LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { ConsumerProgress } from '@waybill/shared-kernel/ports/read-store.js';

export interface LazyCheckpointsDependencies {
  readonly positions: ConsumerProgress;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Told of each save that failed; `of`: `<consumer>/position`. */
  readonly report?: (fault: Error, of: string) => void;
  /** Writes what has to be in the store before the partition's position is, of all that is done by now. */
  readonly prepare?: (partition: number, position: LogPosition) => Promise<void>;
}

/** Milliseconds for which positions may wait to be saved, all of a process together. */
const delayMs = 250;
const backOff: BackOff = { first: 2 * delayMs, most: 10_000 };

/**
 * The positions of a consumer in its partitions, saved a little behind what is done, never ahead of it: whoever begins
 * at one is given again what was done since, which must do no harm. A save that fails holds up nobody and is tried
 * again with what is done by then.
 */
export class LazyCheckpoints {
  readonly #consumer: string;
  readonly #dependencies: LazyCheckpointsDependencies;
  readonly #unsaved = new Map<number, LogPosition>();
  /** Partition → the saves of it that are on their way. */
  readonly #onTheWay = new Map<number, Set<Promise<void>>>();
  #nap = new AbortController();
  #isSaving = false;

  constructor(consumer: string, dependencies: LazyCheckpointsDependencies) {
    this.#consumer = consumer;
    this.#dependencies = dependencies;
  }

  /** Everything up to `position` is done. */
  done(partition: number, position: LogPosition): void {
    this.#unsaved.set(partition, position);
    if (!this.#isSaving) void this.#keepSaving();
  }

  /**
   * Saves that of a partition which is about to be given away. Where that fails, it stays where it was saved last, and
   * whoever has it next does again what was done since. Never rejects.
   */
  async flush(partition: number): Promise<void> {
    await this.#save([partition]);
    this.#unsaved.delete(partition);
    if (this.#unsaved.size === 0) this.#nap.abort();
  }

  /**
   * The partition begins anew where it was saved: what is not saved is not, and nothing of it is on its way any more
   * when this resolves. Never rejects.
   */
  async forget(partition: number): Promise<void> {
    this.#unsaved.delete(partition);
    await Promise.allSettled([...(this.#onTheWay.get(partition) ?? [])]);
    if (this.#unsaved.size === 0) this.#nap.abort();
  }

  async #keepSaving(): Promise<void> {
    this.#isSaving = true;
    for (let failures = 0; this.#unsaved.size > 0;) {
      const delay = failures === 0 ? 0 : backOffDelay(backOff, failures - 1, this.#dependencies.randomness);
      this.#nap = new AbortController();
      await this.#dependencies.timer.sleep(delayMs + delay, this.#nap.signal);
      failures = (await this.#save([...this.#unsaved.keys()])) ? 0 : failures + 1;
    }
    this.#isSaving = false;
  }

  /** All in one turn, so that a store can write them together. Whether all are saved. */
  async #save(partitions: readonly number[]): Promise<boolean> {
    try {
      await Promise.all(
        partitions.map(async (partition) => {
          const saving = this.#saveOne(partition);
          const onTheWay = this.#onTheWay.get(partition) ?? new Set();
          this.#onTheWay.set(partition, onTheWay.add(saving));
          await saving.finally(() => onTheWay.delete(saving));
        }),
      );
      return true;
    } catch (error) {
      this.#dependencies.report?.(asError(error), `${this.#consumer}/position`);
      return false;
    }
  }

  async #saveOne(partition: number): Promise<void> {
    const position = this.#unsaved.get(partition);
    if (position === undefined) return;
    await this.#dependencies.prepare?.(partition, position);
    // It may have been forgotten meanwhile.
    if (!this.#unsaved.has(partition)) return;
    await this.#dependencies.positions.saveConsumerPosition(this.#consumer, partition, position);
    if (this.#unsaved.get(partition) === position) this.#unsaved.delete(partition);
  }
}
