import type { Broker, Message } from '@waybill/shared-kernel/ports/broker.js';
import type { ReadStore, RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';

export interface PipelineMeans {
  readonly broker: Pick<Broker, 'publish'>;
  readonly checkpoints: Pick<ReadStore, 'saveRelayCheckpoint'>;
  /** Told of each checkpoint that was saved. */
  readonly moved: (checkpoint: RelayCheckpoint) => void;
  /** Told, once, why nothing will be saved any more. */
  readonly failed: (reason: unknown) => void;
}

interface Batch {
  readonly published: Promise<void>;
  isConfirmed: boolean;
  /** Where the relay stands when this batch and all before it are with the broker. */
  readonly reached: RelayCheckpoint;
}

/**
 * Batches that were given to the broker, until the checkpoint has moved behind them: in the order of the log, behind
 * what is confirmed and never past what is not, while more is published. What was confirmed meanwhile moves it at once.
 */
export class Pipeline {
  readonly #means: PipelineMeans;
  /** In the order of the log. */
  readonly #underWay: Batch[] = [];
  #isMoving = false;
  #isOver = false;
  #waiting: (() => void)[] = [];

  constructor(means: PipelineMeans) {
    this.#means = means;
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

  /** Resolves when at most so many batches are under way, when nothing moves any more, or when `signal` aborts. */
  async atMost(count: number, signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake);
    while (this.#underWay.length > count && !this.#isOver && !signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    signal.removeEventListener('abort', wake);
  }

  /** From here on no checkpoint is saved: what is under way is published again by whoever comes next. */
  abandon(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** Moves the checkpoint as long as anything is under way. */
  async #move(): Promise<void> {
    this.#isMoving = true;
    try {
      for (let first = this.#underWay[0]; first !== undefined; first = this.#underWay[0]) {
        await first.published;
        const confirmed = this.#confirmed();
        if (this.#isOver) return;
        await this.#means.checkpoints.saveRelayCheckpoint(confirmed.reached);
        this.#underWay.splice(0, this.#underWay.indexOf(confirmed) + 1);
        this.#means.moved(confirmed.reached);
        this.#wake();
      }
    } catch (error) {
      if (!this.#isOver) this.#means.failed(error);
      this.abandon();
    } finally {
      this.#isMoving = false;
    }
  }

  /** The last of the batches that are confirmed with all before them. */
  #confirmed(): Batch {
    const pending = this.#underWay.findIndex(({ isConfirmed }) => !isConfirmed);
    return this.#underWay.at(pending === -1 ? -1 : pending - 1)!;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
