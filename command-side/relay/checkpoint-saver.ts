import type { LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';

export interface CheckpointSaverDependencies {
  readonly save: (position: LogPosition) => Promise<void>;
  readonly timer: Timer;
  /** Called with the reason why a save failed. */
  readonly failed: (reason: unknown) => void;
}

/** Milliseconds between two saves of a position that only records of other programs have moved. */
const quietRestMs = 1000;

/** Saves a position that keeps moving: at once after a quiet time, then now and then, one save at a time. */
export class CheckpointSaver {
  readonly #dependencies: CheckpointSaverDependencies;
  readonly #restMs: number;
  #unsaved: LogPosition | undefined;
  #hasEvents = false;
  #saving: Promise<void> | undefined;
  #isOver = false;
  readonly #finishing = new AbortController();

  /** `restMs`: milliseconds between two saves. */
  constructor(dependencies: CheckpointSaverDependencies, restMs: number) {
    this.#dependencies = dependencies;
    this.#restMs = restMs;
  }

  /** `hasEvents`: whether an event of ours has moved it. */
  reach(position: LogPosition, hasEvents: boolean): void {
    this.#unsaved = position;
    this.#hasEvents ||= hasEvents;
    this.#saving ??= this.#run();
  }

  /** Resolves when what was reached is saved, or could not be. */
  async finish(): Promise<void> {
    this.#finishing.abort();
    await this.#saving;
  }

  /** Nothing more is saved. */
  abandon(): void {
    this.#isOver = true;
    this.#finishing.abort();
  }

  async #run(): Promise<void> {
    const { save, timer, failed } = this.#dependencies;
    try {
      while (this.#unsaved !== undefined && !this.#isOver) {
        const position = this.#unsaved;
        const restMs = this.#hasEvents ? this.#restMs : quietRestMs;
        this.#unsaved = undefined;
        this.#hasEvents = false;
        await save(position);
        if (restMs > 0) await timer.sleep(restMs, this.#finishing.signal);
      }
    } catch (error) {
      failed(error);
    } finally {
      this.#saving = undefined;
    }
  }
}
