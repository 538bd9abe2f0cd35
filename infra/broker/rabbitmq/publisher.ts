import { backOffDelay } from '@waybill/shared-kernel/back-off.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Message } from '@waybill/shared-kernel/ports/broker.js';
import { categoryNameOf } from '@waybill/shared-kernel/stream.js';
import type { ConfirmChannel } from 'amqplib';
import { systemRandomness, systemTimer } from '../../clock/system.js';
import type { Connection } from './connection.js';
import { encode } from './envelope.js';
import { Link, type LinkUser } from './link.js';
import type { Names } from './names.js';
import type { Notify } from './notice.js';
import type { Room } from './room.js';
import { declareExchanges, type Topology } from './topology.js';
import type { RabbitMqTuning } from './tuning.js';

/** Messages that were published together, until the last of them is confirmed. */
interface Publication {
  unconfirmed: number;
  readonly resolve: () => void;
  readonly reject: (reason: Unavailable) => void;
}

interface Outgoing {
  /** Rises in the order of publishing. */
  readonly number: number;
  readonly message: Message;
  readonly publication: Publication;
}

/** Sent messages stay in the list until they are this many and half of it: cutting it then costs next to nothing. */
const worthCutting = 1024;

/**
 * Publishes with confirms, in order, at most a window of them under way. What was under way when a connection or
 * channel was lost is sent again, in order, before anything younger; so is what the server refused, one message ahead
 * of the others until the server takes it.
 */
export class Publisher {
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #topology: Topology;
  readonly #room: Room;
  readonly #tuning: RabbitMqTuning;
  readonly #notify: Notify;
  readonly #link: Link<ConfirmChannel>;
  readonly #closing = new AbortController();
  #channel: ConfirmChannel | undefined;
  #isDrained = true;
  #lastNumber = 0;
  #waiting: Outgoing[] = [];
  /** Index of the oldest message in `#waiting`. */
  #head = 0;
  #lastTag = 0;
  /** Delivery tag → message under way, in the order of sending. */
  #underWay = new Map<number, Outgoing>();
  /** Answers of the server so far. */
  #confirms = 0;
  #refused: Outgoing[] = [];
  /** Refusals in a row. While there are any, one message at a time tries whether the server takes it. */
  #refusals = 0;
  /** Times in a row that no room was found. */
  #stalls = 0;
  /** While there is one, nothing is sent. */
  #pause: AbortController | undefined;

  constructor(
    connection: Connection,
    names: Names,
    topology: Topology,
    room: Room,
    tuning: RabbitMqTuning,
    notify: Notify,
  ) {
    this.#connection = connection;
    this.#names = names;
    this.#topology = topology;
    this.#room = room;
    this.#tuning = tuning;
    this.#notify = notify;
    connection.onUnblocked = () => this.#send();
    const user: LinkUser<ConfirmChannel> = {
      name: 'publishing channel',
      open: (model) => model.createConfirmChannel(),
      use: (channel) => this.#use(channel),
      lost: () => this.#lost(),
    };
    this.#link = new Link(connection, user, tuning, notify);
  }

  /** Resolves when all of them are confirmed, however long it takes. Rejects with `Unavailable` when closed. */
  publish(messages: readonly Message[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) {
        reject(closed());
        return;
      }
      if (messages.length === 0) {
        resolve();
        return;
      }
      const publication = { unconfirmed: messages.length, resolve, reject };
      for (const message of messages) this.#waiting.push({ number: ++this.#lastNumber, message, publication });
      this.#send();
    });
  }

  /** Something happened after which there may be room. */
  retry(): void {
    this.#pause?.abort();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.retry();
    const unfinished = [...this.#underWay.values(), ...this.#refused, ...this.#waiting.slice(this.#head)];
    for (const { publication } of unfinished) publication.reject(closed());
    this.#underWay.clear();
    this.#refused = [];
    this.#waiting = [];
    this.#head = 0;
    await this.#link.close();
  }

  async #use(channel: ConfirmChannel): Promise<void> {
    await declareExchanges(channel, this.#names);
    channel.on('ack', ({ deliveryTag, multiple }) => {
      for (const { publication } of this.#settle(deliveryTag, multiple)) {
        publication.unconfirmed -= 1;
        if (publication.unconfirmed === 0) publication.resolve();
      }
      this.#refusals = this.#refused.length === 0 ? 0 : this.#refusals;
      this.#proceed();
    });
    channel.on('nack', ({ deliveryTag, multiple }) => {
      this.#refused.push(...this.#settle(deliveryTag, multiple));
      this.#proceed();
    });
    channel.on('return', ({ fields, properties }) => {
      this.#notify({ kind: 'returned', messageId: String(properties.messageId), routingKey: fields.routingKey });
    });
    channel.on('drain', () => {
      this.#isDrained = true;
      this.#send();
    });
    this.#watch(channel);
    this.#lastTag = 0;
    this.#isDrained = true;
    this.#channel = channel;
    this.#send();
  }

  /** A confirm may be lost with the queue it concerned; waiting for it for ever would stop the relay. */
  #watch(channel: ConfirmChannel): void {
    let seen = this.#confirms;
    const watch = setInterval(() => {
      const isStuck = this.#underWay.size > 0 && this.#confirms === seen && !this.#connection.isBlocked;
      seen = this.#confirms;
      if (!isStuck) return;
      this.#notify({ kind: 'unconfirmed', count: this.#underWay.size });
      channel.close().catch(() => undefined);
    }, this.#tuning.confirmTimeout);
    channel.once('close', () => clearInterval(watch));
  }

  #lost(): void {
    this.#channel = undefined;
    this.#again([...this.#underWay.values(), ...this.#refused]);
    this.#underWay.clear();
    this.#refused = [];
    this.#refusals = 0;
  }

  /** Puts messages back to the front, oldest first. */
  #again(messages: readonly Outgoing[]): void {
    this.#waiting = [
      ...messages.toSorted((one, other) => one.number - other.number),
      ...this.#waiting.slice(this.#head),
    ];
    this.#head = 0;
  }

  #settle(deliveryTag: number, multiple: boolean): Outgoing[] {
    this.#confirms += 1;
    const settled: Outgoing[] = [];
    if (multiple) {
      for (const [tag, outgoing] of this.#underWay) {
        if (tag > deliveryTag) break;
        this.#underWay.delete(tag);
        settled.push(outgoing);
      }
    } else {
      const outgoing = this.#underWay.get(deliveryTag);
      this.#underWay.delete(deliveryTag);
      if (outgoing !== undefined) settled.push(outgoing);
    }
    return settled;
  }

  #proceed(): void {
    if (this.#refused.length === 0) this.#send();
    else if (this.#underWay.size === 0) this.#retryRefused();
  }

  #retryRefused(): void {
    this.#notify({ kind: 'refused', count: this.#refused.length });
    this.#again(this.#refused);
    this.#refused = [];
    const refusals = this.#refusals++;
    void this.#hold((signal) => this.#nap(refusals, signal));
  }

  #findRoom(partition: number): void {
    void this.#hold(async (signal) => {
      // A fault here is one of the connection, which tells of it and is mended; then it is asked again.
      await this.#room.measure(partition).catch(() => undefined);
      if (!this.#room.hasSome(partition)) await this.#nap(this.#stalls++, signal);
    });
  }

  /** Sends nothing until `reason` is over. */
  async #hold(reason: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const pause = new AbortController();
    this.#pause = pause;
    await reason(pause.signal);
    this.#pause = undefined;
    this.#send();
  }

  #nap(failures: number, signal: AbortSignal): Promise<void> {
    return systemTimer.sleep(backOffDelay(this.#tuning.backOff, failures, systemRandomness), signal);
  }

  /** Sends what may be sent now: called whenever something changed. */
  #send(): void {
    const channel = this.#channel;
    if (channel === undefined || this.#pause !== undefined || this.#refused.length > 0) return;
    const window = this.#refusals > 0 ? 1 : this.#tuning.window;
    while (this.#isDrained && !this.#connection.isBlocked && this.#underWay.size < window) {
      const next = this.#waiting[this.#head];
      if (next === undefined) return;
      if (!this.#room.take(next.message.partition)) {
        if (this.#underWay.size === 0) this.#findRoom(next.message.partition);
        return;
      }
      this.#stalls = 0;
      this.#head += 1;
      this.#cut();
      const { routingKey, body, options } = encode(next.message);
      const { partition, event } = next.message;
      if (this.#topology.isBound(partition, categoryNameOf(event.stream))) options.mandatory = true;
      this.#underWay.set(++this.#lastTag, next);
      this.#connection.gather();
      try {
        this.#isDrained = channel.publish(this.#names.events, routingKey, body, options);
      } catch {
        // The channel is closing; what is under way is sent on the next.
        this.#channel = undefined;
        return;
      }
    }
  }

  #cut(): void {
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (this.#head >= worthCutting && this.#head * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}

function closed(): Unavailable {
  return new Unavailable('broker', 'The broker is closed.');
}
