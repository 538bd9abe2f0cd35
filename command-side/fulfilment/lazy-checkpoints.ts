import { asError } from '@waybill/shared-kernel/as-error.js';
import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import type { LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { ConsumerProgress } from '@waybill/shared-kernel/ports/read-store.js';

export interface LazyCheckpointsDependencies {
  readonly positions: ConsumerProgress;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Called with each save that failed; `of`: `<consumer>/position`. */
  readonly report?: (fault: Error, of: string) => void;
  /** Writes what has to be stored before the partition's position is. */
  readonly prepare?: (partition: number, position: LogPosition) => Promise<void>;
}

/** Milliseconds for which positions may wait to be saved; all of a process are saved together. */
const delayMs = 250;
const backOff: BackOff = { first: 2 * delayMs, most: 10_000 };

/**
 * The checkpoints of a consumer, one per partition. They are saved a little late and are never ahead of the work:
 * whoever begins at one gets the events since then again, and handling them again must be a no-op. A save that fails
 * holds up nothing; it is tried again with the position reached by then.
 */
export class LazyCheckpoints {
  readonly #consumer: string;
  readonly #dependencies: LazyCheckpointsDependencies;
  readonly #unsaved = new Map<number, LogPosition>();
  /** Partition → its saves under way. */
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
   * Saves the checkpoint of a partition that is about to be given away. If that fails, the last saved one counts, and
   * the next process handles the events since then again. Never rejects.
   */
  async flush(partition: number): Promise<void> {
    await this.#save([partition]);
    this.#unsaved.delete(partition);
    if (this.#unsaved.size === 0) this.#nap.abort();
  }

  /**
   * Drops what is not saved: the partition begins again at its saved checkpoint. No save is under way when this
   * resolves. Never rejects.
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

  /** Saves all in one turn, so that a store can write them together. Answers whether all are saved. */
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
