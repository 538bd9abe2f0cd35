import type { Consumer, Message, OnMessages } from '@waybill/shared-kernel/ports/broker.js';
import { deferred, type Deferred } from './deferred.js';

/** Consumed messages stay in the array until they are this many and half of it: cutting it then costs next to nothing. */
const worthCutting = 1024;

/** Somebody who consumes, or waits for that turn. */
class Taker implements Consumer {
  isWorking = false;
  isClosing = false;
  readonly #stopped = deferred();

  constructor(
    readonly queue: Queue,
    readonly prefetch: number,
    readonly onMessages: OnMessages,
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

/** A bounded queue in memory: messages by reference, one active taker, the others in the order in which they came. */
export class Queue {
  readonly #capacity: number;
  #messages: Message[] = [];
  /** Index of the oldest message in `#messages`. */
  #head = 0;
  /** How many of the oldest have been handed out before. */
  #handedOut = 0;
  /** The first is the active one. */
  readonly #takers: Taker[] = [];
  #isWoken = false;
  #isRemoved = false;
  #room: Deferred | undefined;

  /** `capacity`: how many messages it holds before it is full. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get depth(): number {
    return this.#messages.length - this.#head;
  }

  get isFull(): boolean {
    return !this.#isRemoved && this.depth >= this.#capacity;
  }

  /** Resolves when it may have room, or was removed. */
  room(): Promise<void> {
    this.#room ??= deferred();
    return this.#room.promise;
  }

  add(message: Message): void {
    if (this.#isRemoved) return;
    this.#messages.push(message);
    this.#wake();
  }

  take(prefetch: number, onMessages: OnMessages): Consumer {
    const taker = new Taker(this, prefetch, onMessages);
    this.#takers.push(taker);
    this.#wake();
    return taker;
  }

  leave(taker: Taker, failure?: { readonly reason: unknown }): void {
    const index = this.#takers.indexOf(taker);
    if (index === -1) return;
    this.#takers.splice(index, 1);
    taker.end(failure);
    this.#wake();
  }

  /** Empties it for good; resolves when its takers have stopped. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    this.#messages = [];
    this.#head = 0;
    this.#handedOut = 0;
    this.#makeRoom();
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
    const messages = this.#messages.slice(this.#head, this.#head + taker.prefetch);
    const redelivered = Math.min(this.#handedOut, messages.length);
    this.#handedOut = Math.max(this.#handedOut, messages.length);
    taker.isWorking = true;
    let failure: { readonly reason: unknown } | undefined;
    try {
      const done = await taker.onMessages(messages, redelivered);
      if (!Number.isInteger(done) || done < 0 || done > messages.length) {
        throw new RangeError(`${done} of ${messages.length} messages cannot be done`);
      }
      this.#forget(done);
    } catch (reason) {
      failure = { reason };
    }
    taker.isWorking = false;
    if (failure !== undefined || taker.isClosing) this.leave(taker, failure);
    else this.#wake();
  }

  #forget(count: number): void {
    if (count === 0 || this.#isRemoved) return;
    this.#head += count;
    this.#handedOut -= count;
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#head = 0;
    } else if (this.#head >= worthCutting && this.#head * 2 >= this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
    this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
