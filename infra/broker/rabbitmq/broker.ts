import type { Broker, Consumer, EventBatch, OnBatches, QueueName } from '@waybill/shared-kernel/ports/broker.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Category } from '@waybill/shared-kernel/stream.js';
import { systemTimer } from '../../clock/system.js';
import { Connection } from './connection.js';
import { QueueConsumer, type ConsumptionDependencies } from './queue-consumer.js';
import { DeadLetters } from './dead-letters.js';
import { Names } from './names.js';
import type { Notify } from './notice.js';
import { Publisher } from './publisher.js';
import { Topology } from './topology.js';
import { rabbitMqTuning, type RabbitMqTuning } from './tuning.js';

export interface RabbitMqOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps:`. */
  readonly url: string;
  /** What all names on the server begin with. */
  readonly prefix?: string;
  readonly tuning?: Partial<RabbitMqTuning>;
  readonly notify?: Notify;
}

export interface RabbitMqBroker extends Broker {
  /** How many messages could not be decoded and wait for somebody to look at them. */
  deadLetters(): Promise<number>;
  /** Throws `Unavailable`, with the reason as far as it is known, while it is not connected. */
  assertConnected(): void;
}

/**
 * A broker on RabbitMQ, from 3.10 on. It connects in the background and whenever the connection is lost: `publish`
 * waits for that, the others for a time and then throw `Unavailable`; consumers go on by themselves, and stop with
 * `Unavailable` when their queue is gone. What a consumer was handed is not counted by `depth`.
 */
export function openRabbitMqBroker({ url, prefix = 'waybill', tuning, notify }: RabbitMqOptions): RabbitMqBroker {
  return new RabbitMq(url, new Names(prefix), { ...rabbitMqTuning, ...tuning }, notify ?? (() => undefined));
}

class RabbitMq implements RabbitMqBroker {
  readonly #names: Names;
  readonly #tuning: RabbitMqTuning;
  readonly #notify: Notify;
  /** Two connections, because a server that is short of memory stops the one that publishes, and only that. */
  readonly #publishing: Connection;
  readonly #consuming: Connection;
  readonly #topology: Topology;
  readonly #publisher: Publisher;
  readonly #deadLetters: DeadLetters;
  /** Name of a queue → its consumers. */
  readonly #consumptions = new Map<string, Set<QueueConsumer>>();
  #isClosed = false;

  constructor(url: string, names: Names, tuning: RabbitMqTuning, notify: Notify) {
    this.#names = names;
    this.#tuning = tuning;
    this.#notify = notify;
    this.#publishing = new Connection(url, 'waybill publishing', tuning, notify);
    this.#consuming = new Connection(url, 'waybill consuming', tuning, notify);
    this.#topology = new Topology(this.#consuming, names, tuning);
    this.#publisher = new Publisher(this.#publishing, names, tuning, notify);
    this.#deadLetters = new DeadLetters(this.#publishing, names, this.#topology, tuning);
  }

  async declare(queue: QueueName, categories: readonly Category[]): Promise<void> {
    this.#assertOpen();
    await this.#topology.declare(queue, categories);
  }

  publish(batches: readonly EventBatch[]): Promise<void> {
    return this.#publisher.publish(batches);
  }

  async consume(queue: QueueName, prefetch: number, onBatches: OnBatches): Promise<Consumer> {
    this.#assertOpen();
    await this.#waiting(queue);
    const name = this.#names.queue(queue);
    const dependencies: ConsumptionDependencies = {
      connection: this.#consuming,
      deadLetters: this.#deadLetters,
      tuning: this.#tuning,
      notify: this.#notify,
    };
    const consumption = new QueueConsumer({ name, partition: queue.partition }, prefetch, onBatches, dependencies);
    this.#register(name, consumption);
    const over = new AbortController();
    const answerTimeoutMs = systemTimer.sleep(this.#tuning.answerTimeoutMs, over.signal);
    await Promise.race([consumption.attached, answerTimeoutMs]);
    over.abort();
    if (!consumption.isAttached) {
      await consumption.close();
      throw this.#consuming.unavailable();
    }
    return consumption;
  }

  async remove(queue: QueueName): Promise<void> {
    this.#assertOpen();
    const consumptions = [...(this.#consumptions.get(this.#names.queue(queue)) ?? [])];
    for (const consumption of consumptions) consumption.expectRemoval();
    await this.#topology.remove(queue);
    await Promise.all(consumptions.map((consumption) => consumption.close()));
  }

  async depth(queue: QueueName): Promise<number> {
    this.#assertOpen();
    return this.#waiting(queue);
  }

  async deadLetters(): Promise<number> {
    this.#assertOpen();
    return this.#deadLetters.count();
  }

  assertConnected(): void {
    for (const connection of [this.#publishing, this.#consuming]) connection.assertUp();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const consumptions = [...this.#consumptions.values()].flatMap((ofQueue) => [...ofQueue]);
    await Promise.all([this.#publisher.close(), ...consumptions.map((consumption) => consumption.close())]);
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
  }

  #register(name: string, consumption: QueueConsumer): void {
    const ofQueue = this.#consumptions.get(name) ?? new Set<QueueConsumer>();
    this.#consumptions.set(name, ofQueue.add(consumption));
    const forget = (): void => {
      ofQueue.delete(consumption);
      if (ofQueue.size === 0 && this.#consumptions.get(name) === ofQueue) this.#consumptions.delete(name);
    };
    consumption.stopped.then(forget, forget);
  }

  async #waiting(queue: QueueName): Promise<number> {
    const waiting = await this.#topology.waiting(this.#names.queue(queue));
    if (waiting === undefined) throw new Error(`queue ${queue.consumer}/${queue.partition} is not declared`);
    return waiting;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Unavailable('broker', 'The broker is closed.');
  }
}
