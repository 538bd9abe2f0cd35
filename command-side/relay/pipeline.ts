import type { Broker, Message } from '@waybill/shared-kernel/ports/broker.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { ReadStore, RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';

export interface PipelineMeans {
  readonly broker: Pick<Broker, 'publish'>;
  readonly checkpoints: Pick<ReadStore, 'saveRelayCheckpoint'>;
  readonly timer: Timer;
  /** Told how far all is with the broker. */
  readonly moved: (position: number) => void;
  /** Told of each save. */
  readonly saved: () => void;
  /** Told, once, why nothing moves any more. */
  readonly failed: (reason: unknown) => void;
}

interface Batch {
  readonly published: Promise<void>;
  isConfirmed: boolean;
  /** Where the relay stands when this batch and all before it are with the broker. */
  readonly reached: RelayCheckpoint;
}

/**
 * Batches that were given to the broker, and the checkpoint behind them: it moves in the order of the log, behind what
 * is confirmed and never past what is not, while more is published. It is saved at once after a quiet time, and now and
 * then while it keeps moving.
 */
export class Pipeline {
  readonly #means: PipelineMeans;
  readonly #rest: number;
  /** Not confirmed, in the order of the log. */
  readonly #underWay: Batch[] = [];
  /** What is confirmed and not saved. */
  #unsaved: RelayCheckpoint | undefined;
  #isMoving = false;
  #isSaving = false;
  #isOver = false;
  readonly #finishing = new AbortController();
  #waiting: (() => void)[] = [];

  /** `rest`: milliseconds between two saves. */
  constructor(means: PipelineMeans, rest: number) {
    this.#means = means;
    this.#rest = rest;
  }

  /** `reached`: where these messages lead. */
  publish(messages: readonly Message[], reached: RelayCheckpoint): void {
    const confirmed = (): void => {
      batch.isConfirmed = true;
    };
    const batch: Batch = {
      published: this.#means.broker.publish(messages).then(confirmed),
      isConfirmed: false,
      reached,
    };
    // It may fail while one before it is waited for.
    batch.published.catch(() => undefined);
    this.#underWay.push(batch);
    if (!this.#isMoving) void this.#move();
  }

  /** Resolves when at most so many batches are not confirmed, when nothing moves any more, or when `signal` aborts. */
  async atMost(count: number, signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#underWay.length <= count, signal);
  }

  /** Resolves when everything is confirmed and the checkpoint behind it saved, or as `atMost` does. */
  async finish(signal: AbortSignal): Promise<void> {
    this.#finishing.abort();
    await this.#until(() => this.#underWay.length === 0 && !this.#isSaving, signal);
  }

  /** From here on no checkpoint is saved: what it is not behind is published again by whoever comes next. */
  abandon(): void {
    this.#isOver = true;
    this.#finishing.abort();
    this.#wake();
  }

  async #until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake);
    while (!isSo() && !this.#isOver && !signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    signal.removeEventListener('abort', wake);
  }

  async #move(): Promise<void> {
    this.#isMoving = true;
    try {
      for (let first = this.#underWay[0]; first !== undefined; first = this.#underWay[0]) {
        await first.published;
        if (this.#isOver) return;
        const reached = this.#takeConfirmed();
        this.#unsaved = reached;
        if (!this.#isSaving) void this.#save();
        this.#means.moved(reached.position);
        this.#wake();
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isMoving = false;
    }
  }

  /** Takes out those that are confirmed with all before them, of which there is one; where they lead. */
  #takeConfirmed(): RelayCheckpoint {
    const pending = this.#underWay.findIndex(({ isConfirmed }) => !isConfirmed);
    return this.#underWay.splice(0, pending === -1 ? this.#underWay.length : pending).at(-1)!.reached;
  }

  async #save(): Promise<void> {
    this.#isSaving = true;
    try {
      for (let next = this.#unsaved; next !== undefined && !this.#isOver; next = this.#unsaved) {
        this.#unsaved = undefined;
        await this.#means.checkpoints.saveRelayCheckpoint(next);
        this.#means.saved();
        if (this.#rest > 0) await this.#means.timer.sleep(this.#rest, this.#finishing.signal);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isSaving = false;
      this.#wake();
    }
  }

  #fail(reason: unknown): void {
    if (!this.#isOver) this.#means.failed(reason);
    this.abandon();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
