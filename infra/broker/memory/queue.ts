import { bytesOf } from '@waybill/shared-kernel/subscriptions/event-batches.js';
import type { Consumer, EventBatch, OnBatches, QueueBounds } from '@waybill/shared-kernel/ports/broker.js';
import { deferred } from './deferred.js';

/** Somebody who consumes, or waits for that turn. */
class Taker implements Consumer {
  isWorking = false;
  isClosing = false;
  readonly #stopped = deferred();

  constructor(
    readonly queue: Queue,
    readonly prefetch: number,
    readonly onBatches: OnBatches,
  ) {}

  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  async close(): Promise<void> {
    this.isClosing = true;
    if (!this.isWorking) this.queue.leave(this);
    await Promise.allSettled([this.stopped]);
  }

  end(failure?: { readonly reason: unknown }): void {
    if (failure === undefined) this.#stopped.resolve();
    else this.#stopped.reject(failure.reason);
  }
}

/** A bounded queue in memory: batches by reference, one active taker, the others in the order in which they came. */
export class Queue {
  readonly #bounds: QueueBounds;
  readonly #batches: EventBatch[] = [];
  #bytes = 0;
  /** How many of those handed out were dropped since. */
  #droppedOfHanded = 0;
  /** The first is the active one. */
  readonly #takers: Taker[] = [];
  #usedAtMs = performance.now();
  #isWoken = false;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  get depth(): number {
    return this.#batches.length;
  }

  /** Nobody has used it for so long that it is to go away. */
  get isExpired(): boolean {
    return this.#takers.length === 0 && performance.now() - this.#usedAtMs > this.#bounds.expiresMs;
  }

  /** Somebody declared it again. */
  use(): void {
    this.#usedAtMs = performance.now();
  }

  add(batch: EventBatch): void {
    this.#batches.push(batch);
    this.#bytes += sizeOf(batch);
    const { maxBatches, maxBytes } = this.#bounds;
    while (this.#batches.length > maxBatches || this.#bytes > maxBytes) {
      this.#forget(1);
      this.#droppedOfHanded += 1;
    }
    this.#wake();
  }

  take(prefetch: number, onBatches: OnBatches): Consumer {
    const taker = new Taker(this, prefetch, onBatches);
    this.#takers.push(taker);
    this.#wake();
    return taker;
  }

  leave(taker: Taker, failure?: { readonly reason: unknown }): void {
    const index = this.#takers.indexOf(taker);
    if (index === -1) return;
    this.#takers.splice(index, 1);
    this.use();
    taker.end(failure);
    this.#wake();
  }

  /** Empties it for good; resolves when its takers have stopped. */
  async remove(): Promise<void> {
    this.#forget(this.depth);
    await Promise.all(this.#takers.slice().map((taker) => taker.close()));
  }

  /** Hands out in a turn of the event loop of its own: what comes until then goes along, and I/O is never starved. */
  #wake(): void {
    if (this.#isWoken || this.depth === 0 || this.#takers[0]?.isWorking !== false) return;
    this.#isWoken = true;
    setImmediate(() => {
      this.#isWoken = false;
      const taker = this.#takers[0];
      if (taker !== undefined && !taker.isWorking && this.depth > 0) void this.#handOut(taker);
    });
  }

  async #handOut(taker: Taker): Promise<void> {
    const handed = this.#batches.slice(0, taker.prefetch);
    taker.isWorking = true;
    this.#droppedOfHanded = 0;
    let failure: { readonly reason: unknown } | undefined;
    try {
      await taker.onBatches(handed);
      this.#forget(Math.max(0, handed.length - this.#droppedOfHanded));
    } catch (reason) {
      failure = { reason };
    }
    taker.isWorking = false;
    if (failure !== undefined || taker.isClosing) this.leave(taker, failure);
    else this.#wake();
  }

  /** The oldest leave it. */
  #forget(count: number): void {
    for (const batch of this.#batches.splice(0, count)) this.#bytes -= sizeOf(batch);
  }
}

function sizeOf({ events }: EventBatch): number {
  return events.reduce((sum, event) => sum + bytesOf(event), 0);
}
