import { BatchCutter, batchBounds, type BatchBounds } from '../subscriptions/event-batches.js';
import type { BatchPublisher } from '../ports/broker.js';
import { beginning, type LogPages } from '../ports/event-store.js';
import { firstEvent, readLog } from '../read-stream.js';

/** As it is noted for a log that was never another. */
export async function identityOf(log: LogPages): Promise<string> {
  const first = await firstEvent(log);
  return first === undefined ? 'none' : `${first.position}:${first.id}`;
}

/** A relay that carries when a test says so. */
export class RelayByHand {
  readonly #log: LogPages;
  readonly #bounds: BatchBounds;
  #position: number;
  #cutter: BatchCutter | undefined;

  /** `since`: the position from which it goes on, as one that begins anew. */
  constructor(log: LogPages, bounds: Partial<BatchBounds> = {}, since = beginning) {
    this.#log = log;
    this.#bounds = { ...batchBounds, ...bounds };
    this.#position = since;
  }

  /** Publishes what has come since the last time. */
  async relay(broker: BatchPublisher): Promise<void> {
    for await (const { events, marks, through } of readLog(this.#log, this.#position)) {
      this.#cutter ??= new BatchCutter(await identityOf(this.#log), this.#position, this.#bounds);
      await broker.publish(this.#cutter.cut(events, marks));
      this.#position = through;
    }
  }
}
