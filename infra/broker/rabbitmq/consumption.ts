import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Consumer, Message, OnMessages } from '@waybill/shared-kernel/ports/broker.js';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Connection } from './connection.js';
import type { DeadLetters } from './dead-letters.js';
import { decode, Undecodable } from './envelope.js';
import { Link, type LinkUser } from './link.js';
import type { Notify } from './notice.js';
import type { RabbitMqTuning } from './tuning.js';

/** What the server handed out and has no answer to yet. */
interface Delivery {
  readonly raw: ConsumeMessage;
  readonly content: Message | Undecodable;
  /** It may have been worked on before, here or elsewhere. */
  isAgain: boolean;
}

export interface ConsumedQueue {
  /** Name on the server. */
  readonly name: string;
  readonly partition: number;
}

export interface ConsumptionMeans {
  readonly connection: Connection;
  readonly deadLetters: Pick<DeadLetters, 'put'>;
  readonly tuning: RabbitMqTuning;
  readonly notify: Notify;
}

/** What a prefetch may be on the wire. */
const greatestPrefetch = 65_535;

/** AMQP reply code. */
const notFound = 404;

/**
 * A consumer of one queue. What an answer leaves out stays here and is handed out again, so the order does not depend
 * on how a server puts back what is returned, and nothing counts towards a delivery limit. Only the end of the channel
 * returns messages, all of them at once.
 */
export class Consumption implements Consumer {
  readonly stopped: Promise<void>;
  /** Resolves when it was attached to the queue for the first time, or has stopped before. */
  readonly attached: Promise<void>;
  isAttached = false;
  readonly #queue: ConsumedQueue;
  readonly #prefetch: number;
  readonly #onMessages: OnMessages;
  readonly #means: ConsumptionMeans;
  readonly #link: Link<Channel>;
  #channel: Channel | undefined;
  #held: Delivery[] = [];
  #isAwake = false;
  #isWorking = false;
  #isClosing = false;
  #isRemoved = false;
  #hasEnded = false;
  #attach!: () => void;
  #resolve!: () => void;
  #reject!: (reason: unknown) => void;

  constructor(queue: ConsumedQueue, prefetch: number, onMessages: OnMessages, means: ConsumptionMeans) {
    this.#queue = queue;
    this.#prefetch = prefetch;
    this.#onMessages = onMessages;
    this.#means = means;
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
    this.#link = new Link(means.connection, user, means.tuning, means.notify);
  }

  /** Messages handed out by the server and not answered. */
  get held(): number {
    return this.#held.length;
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
    // The next batch comes in while one is worked on.
    await channel.prefetch(Math.min(this.#prefetch * 2, greatestPrefetch));
    await channel.consume(this.#queue.name, (raw) => this.#receive(channel, raw));
    // An answer comes after the messages that were waiting, so the first batch is as great as it can be.
    await channel.checkQueue(this.#queue.name);
    this.#channel = channel;
    this.isAttached = true;
    this.#attach();
    this.#wake();
  }

  #receive(channel: Channel, raw: ConsumeMessage | null): void {
    if (this.#hasEnded) return;
    if (raw === null) {
      this.#means.notify({ kind: 'cancelled', queue: this.#queue.name });
      this.#gone();
      return;
    }
    this.#held.push({ raw, content: this.#decode(raw), isAgain: raw.fields.redelivered });
    if (this.#channel === channel) this.#wake();
  }

  #decode(raw: ConsumeMessage): Message | Undecodable {
    try {
      return decode(raw, this.#queue.partition);
    } catch (error) {
      if (error instanceof Undecodable) return error;
      throw error;
    }
  }

  /** The server hands out what is not answered to the next channel, if need be one of ours. */
  #lost(reason: Error): void {
    this.#channel = undefined;
    this.#held = [];
    if ('code' in reason && reason.code === notFound) this.#gone();
  }

  /** The queue is not there any more: deleted here on purpose, or by somebody else. */
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
    try {
      const first = this.#held[0]!;
      if (first.content instanceof Undecodable) await this.#bury(channel, first, first.content);
      else await this.#handOut(channel);
    } catch (reason) {
      failure = { reason };
    }
    this.#isWorking = false;
    if (failure !== undefined || this.#isClosing) this.#end(failure);
    else this.#wake();
  }

  async #handOut(channel: Channel): Promise<void> {
    const batch: Message[] = [];
    let redelivered = 0;
    for (const { content, isAgain } of this.#held) {
      if (content instanceof Undecodable || batch.length === this.#prefetch) break;
      if (isAgain && redelivered === batch.length) redelivered += 1;
      batch.push(content);
    }
    const done = await this.#onMessages(batch, redelivered);
    if (!Number.isInteger(done) || done < 0 || done > batch.length) {
      throw new RangeError(`${done} of ${batch.length} messages cannot be done`);
    }
    if (this.#channel !== channel) return;
    for (const delivery of this.#held.slice(done, batch.length)) delivery.isAgain = true;
    this.#ack(channel, done);
  }

  /** Moves what cannot be decoded out of the way of the others. */
  async #bury(channel: Channel, { raw }: Delivery, { message }: Undecodable): Promise<void> {
    try {
      await this.#means.deadLetters.put(raw, this.#queue.name, message);
    } catch (error) {
      if (this.#means.connection.isClosed()) throw error;
      // The connection or the server is in trouble; it is mended, and then this is tried again.
      return;
    }
    this.#means.notify({ kind: 'dead-lettered', queue: this.#queue.name, reason: message });
    if (this.#channel === channel) this.#ack(channel, 1);
  }

  #ack(channel: Channel, count: number): void {
    if (count === 0) return;
    const last = this.#held[count - 1]!.raw;
    this.#held.splice(0, count);
    try {
      channel.ack(last, true);
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
