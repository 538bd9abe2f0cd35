import { asError } from '@waybill/shared-kernel/as-error.js';
import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { QueueName } from '@waybill/shared-kernel/ports/broker.js';
import type { Category } from '@waybill/shared-kernel/stream.js';
import type { Channel, Options } from 'amqplib';
import type { Connection } from './connection.js';
import { bindingKey, olderBindingKey, type Names } from './names.js';
import type { RabbitMqTuning } from './tuning.js';

/**
 * How often a message may come back before the server takes it for poison. From 4.0 on that is 20 unless the queue says
 * otherwise, and −1 for "never" is refused by 3.x, so it is a number that nothing reaches.
 */
const deliveryLimit = 1_000_000_000;

/** AMQP reply codes. */
export const notFound = 404;
export const preconditionFailed = 406;

/** Exchanges and queues on the server: declared idempotently, deleted, asked for their length. */
export class Topology {
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #tuning: RabbitMqTuning;
  /** Partition → name of a queue that was declared here → its categories. */
  readonly #declared = new Map<number, Map<string, ReadonlySet<string>>>();
  #channel: Channel | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(connection: Connection, names: Names, tuning: RabbitMqTuning) {
    this.#connection = connection;
    this.#names = names;
    this.#tuning = tuning;
  }

  /** Throws `BadConfiguration` where the queue exists with other properties. */
  async declare(queue: QueueName, categories: readonly Category[]): Promise<void> {
    const name = this.#names.queue(queue);
    const { partition } = queue;
    await this.#ask(async (channel) => {
      await declareExchanges(channel, this.#names);
      await channel.assertQueue(name, queueProperties(this.#names, this.#tuning.capacity));
      for (const category of categories) {
        await channel.bindQueue(name, this.#names.events, bindingKey(partition, category));
      }
      await channel.unbindQueue(name, this.#names.events, olderBindingKey(partition));
    });
    const declared = this.#declared.get(partition) ?? new Map<string, ReadonlySet<string>>();
    this.#declared.set(partition, declared.set(name, new Set([...(declared.get(name) ?? []), ...categories])));
  }

  async remove(queue: QueueName): Promise<void> {
    const name = this.#names.queue(queue);
    this.#declared.get(queue.partition)?.delete(name);
    await this.#ask((channel) => channel.deleteQueue(name));
  }

  /** Messages that wait in a queue, without those handed out; `undefined` where there is no such queue. */
  async waiting(name: string): Promise<number | undefined> {
    try {
      return (await this.#ask((channel) => channel.checkQueue(name))).messageCount;
    } catch (error) {
      if (codeOf(error) === notFound) return undefined;
      throw error;
    }
  }

  /** Whether queues of the partition were declared here and not removed. */
  hasQueues(partition: number): boolean {
    return (this.#declared.get(partition)?.size ?? 0) > 0;
  }

  /** Whether a message ought to meet one of those. */
  isBound(partition: number, category: string): boolean {
    for (const categories of this.#declared.get(partition)?.values() ?? []) if (categories.has(category)) return true;
    return false;
  }

  /** Messages in the longest queue of a partition, of those declared here; one that was deleted is forgotten. */
  async longest(partition: number): Promise<number> {
    let longest = 0;
    const declared = this.#declared.get(partition);
    for (const name of declared?.keys() ?? []) {
      const waiting = await this.waiting(name);
      if (waiting === undefined) declared?.delete(name);
      else longest = Math.max(longest, waiting);
    }
    return longest;
  }

  /** One at a time, because an error closes the channel. */
  #ask<T>(question: (channel: Channel) => Promise<T>): Promise<T> {
    const answer = this.#turn.then(() => this.#askNow(question));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #askNow<T>(question: (channel: Channel) => Promise<T>): Promise<T> {
    const patience = AbortSignal.timeout(this.#tuning.patience);
    const impatient = new Promise<never>((_resolve, reject) => {
      patience.addEventListener('abort', () => reject(this.#connection.unavailable()), { once: true });
    });
    const answering = this.#open(patience).then(question);
    try {
      return await Promise.race([answering, impatient]);
    } catch (error) {
      answering.catch(() => undefined);
      this.#drop();
      if (error instanceof Unavailable || codeOf(error) === notFound) throw error;
      const message = asError(error).message;
      if (codeOf(error) === preconditionFailed) {
        throw new BadConfiguration(
          `A queue or exchange exists with other properties: ${message}. Delete it; what it held is in the log.`,
        );
      }
      throw new Unavailable('broker', message, { cause: error });
    }
  }

  async #open(signal: AbortSignal): Promise<Channel> {
    if (this.#channel !== undefined) return this.#channel;
    const model = await this.#connection.model(signal);
    const channel = await model.createChannel();
    // The question that is under way is told; with none, the next opens another.
    channel.on('error', () => undefined);
    channel.once('close', () => {
      if (this.#channel === channel) this.#channel = undefined;
    });
    this.#channel = channel;
    return channel;
  }

  /** Whatever went wrong, the next question is asked on a channel of its own. */
  #drop(): void {
    const channel = this.#channel;
    this.#channel = undefined;
    channel?.close().catch(() => undefined);
  }
}

/** What a queue is declared with, and keeps. */
export function queueProperties(names: Names, capacity: number): Options.AssertQueue {
  return {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-single-active-consumer': true,
      'x-max-length': capacity,
      'x-overflow': 'reject-publish',
      'x-delivery-limit': deliveryLimit,
      'x-dead-letter-exchange': names.deadLetters,
    },
  };
}

/** The exchange of the events, and exchange and queue of the dead letters. */
export async function declareExchanges(channel: Channel, names: Names): Promise<void> {
  await channel.assertExchange(names.events, 'topic', { durable: true });
  await channel.assertExchange(names.deadLetters, 'fanout', { durable: true });
  await channel.assertQueue(names.deadLetters, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue(names.deadLetters, names.deadLetters, '');
}

/** AMQP's reply code, where an error bears one. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
