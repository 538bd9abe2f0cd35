import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Consumer, EventBatch, OnBatches } from '@waybill/shared-kernel/ports/broker.js';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Connection } from './connection.js';
import type { DeadLetters } from './dead-letters.js';
import { decode, Undecodable } from './envelope.js';
import { Link, type LinkUser } from './link.js';
import type { Notify } from './notice.js';
import type { RabbitMqTuning } from './tuning.js';

export interface ConsumedQueue {
  /** Name on the server. */
  readonly name: string;
  readonly partition: number;
}

export interface ConsumptionDependencies {
  readonly connection: Connection;
  readonly deadLetters: Pick<DeadLetters, 'put'>;
  readonly tuning: RabbitMqTuning;
  readonly notify: Notify;
}

/** AMQP reply code. */
const notFound = 404;

/** A consumer of one queue. Only the end of its channel returns what was not done, all of it at once. */
export class QueueConsumer implements Consumer {
  readonly stopped: Promise<void>;
  /** Resolves when it was attached to the queue for the first time, or has stopped before. */
  readonly attached: Promise<void>;
  isAttached = false;
  readonly #queue: ConsumedQueue;
  readonly #prefetch: number;
  readonly #onBatches: OnBatches;
  readonly #dependencies: ConsumptionDependencies;
  readonly #link: Link<Channel>;
  #channel: Channel | undefined;
  /** What the server handed out and has no answer to yet. */
  #held: ConsumeMessage[] = [];
  #isAwake = false;
  #isWorking = false;
  #isClosing = false;
  #isRemoved = false;
  #hasEnded = false;
  #attach!: () => void;
  #resolve!: () => void;
  #reject!: (reason: unknown) => void;

  constructor(queue: ConsumedQueue, prefetch: number, onBatches: OnBatches, dependencies: ConsumptionDependencies) {
    this.#queue = queue;
    this.#prefetch = prefetch;
    this.#onBatches = onBatches;
    this.#dependencies = dependencies;
    this.stopped = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.attached = new Promise((resolve) => {
      this.#attach = resolve;
    });
    // Who only closes it need not look at `stopped`.
    this.stopped.catch(() => undefined);
    const user: LinkUser<Channel> = {
      name: `consumer of ${queue.name}`,
      open: (model) => model.createChannel(),
      use: (channel) => this.#use(channel),
      lost: (reason) => this.#lost(reason),
    };
    this.#link = new Link(dependencies.connection, user, dependencies.tuning, dependencies.notify);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (!this.#isWorking) this.#end();
    await Promise.allSettled([this.stopped]);
  }

  /** The queue is about to be deleted on purpose: its end is no fault. */
  expectRemoval(): void {
    this.#isRemoved = true;
  }

  async #use(channel: Channel): Promise<void> {
    await channel.prefetch(this.#prefetch);
    await channel.consume(this.#queue.name, (raw) => this.#receive(channel, raw));
    this.#channel = channel;
    this.isAttached = true;
    this.#attach();
    this.#wake();
  }

  #receive(channel: Channel, raw: ConsumeMessage | null): void {
    if (this.#hasEnded) return;
    if (raw === null) {
      this.#dependencies.notify({ kind: 'cancelled', queue: this.#queue.name });
      this.#gone();
      return;
    }
    this.#held.push(raw);
    if (this.#channel === channel) this.#wake();
  }

  /** The server hands out what is not answered to the next channel, if need be one of ours. */
  #lost(reason: Error): void {
    this.#channel = undefined;
    this.#held = [];
    if ('code' in reason && reason.code === notFound) this.#gone();
  }

  /** The queue is not there any more: deleted here on purpose, or by somebody else, or expired. */
  #gone(): void {
    if (this.#isRemoved) void this.close();
    else this.#end({ reason: new Unavailable('broker', `The queue ${this.#queue.name} is gone.`) });
  }

  /** Hands out in a turn of the event loop of its own: what comes until then goes along. */
  #wake(): void {
    if (this.#isAwake || this.#isWorking || this.#hasEnded || this.#held.length === 0) return;
    this.#isAwake = true;
    setImmediate(() => {
      this.#isAwake = false;
      const channel = this.#channel;
      if (channel === undefined || this.#hasEnded || this.#held.length === 0) return;
      void this.#work(channel);
    });
  }

  async #work(channel: Channel): Promise<void> {
    this.#isWorking = true;
    let failure: { readonly reason: unknown } | undefined;
    const handed = this.#held.slice(0, this.#prefetch);
    try {
      const batches: EventBatch[] = [];
      for (const raw of handed) {
        const batch = await this.#decoded(raw);
        if (batch !== undefined) batches.push(batch);
      }
      if (batches.length > 0) await this.#onBatches(batches);
      if (this.#channel === channel) this.#ack(channel, handed);
    } catch (reason) {
      failure = { reason };
    }
    this.#isWorking = false;
    if (failure !== undefined || this.#isClosing) this.#end(failure);
    else this.#wake();
  }

  /** What cannot be decoded is put aside, out of the way of the others; that may take as long as the broker is down. */
  async #decoded(raw: ConsumeMessage): Promise<EventBatch | undefined> {
    try {
      return decode(raw, this.#queue.partition);
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error;
      const { message: reason } = error;
      await this.#dependencies.deadLetters.put(raw, this.#queue.name, reason);
      this.#dependencies.notify({ kind: 'dead-lettered', queue: this.#queue.name, reason });
      return undefined;
    }
  }

  #ack(channel: Channel, handed: readonly ConsumeMessage[]): void {
    this.#held.splice(0, handed.length);
    try {
      channel.ack(handed.at(-1)!, true);
    } catch {
      // The channel is closing: the server hands them out again.
    }
  }

  /** Once: closes the channel, then says so. */
  #end(failure?: { readonly reason: unknown }): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    void this.#link.close().then(() => {
      this.#held = [];
      this.isAttached = true;
      this.#attach();
      if (failure === undefined) this.#resolve();
      else this.#reject(failure.reason);
    });
  }
}
