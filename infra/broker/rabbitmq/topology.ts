import { asError } from '@waybill/shared-kernel/as-error.js';
import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { QueueBounds, QueueName } from '@waybill/shared-kernel/ports/broker.js';
import type { Category } from '@waybill/shared-kernel/stream.js';
import type { Channel, Options } from 'amqplib';
import type { Connection } from './connection.js';
import { bindingKey, type Names } from './names.js';
import type { RabbitMqTuning } from './tuning.js';

/** AMQP reply codes. */
export const notFound = 404;
export const preconditionFailed = 406;

/** Exchanges and queues on the server: declared idempotently, deleted, asked for their length. */
export class Topology {
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #tuning: RabbitMqTuning;
  #channel: Channel | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #hasRetired = false;

  constructor(connection: Connection, names: Names, tuning: RabbitMqTuning) {
    this.#connection = connection;
    this.#names = names;
    this.#tuning = tuning;
  }

  /** And deletes what stood in its place before. Throws `BadConfiguration` where the queue exists with other properties. */
  async declare(queue: QueueName, categories: readonly Category[]): Promise<void> {
    if (!this.#hasRetired) await this.#retireOlder();
    const name = this.#names.queue(queue);
    await this.#ask(async (channel) => {
      await declareExchange(channel, this.#names);
      await channel.assertQueue(name, queueProperties(this.#tuning.bounds));
      for (const category of categories) {
        await channel.bindQueue(name, this.#names.events, bindingKey(queue.partition, category));
      }
      await channel.deleteQueue(this.#names.older.queue(queue));
    });
  }

  async remove(queue: QueueName): Promise<void> {
    await this.#ask(async (channel) => {
      await channel.deleteQueue(this.#names.queue(queue));
      await channel.deleteQueue(this.#names.older.queue(queue));
    });
  }

  /**
   * Deletes, as a process begins, the exchange of before, where no queue is bound to it any more, then its dead letters,
   * where there are none. While a program of before is at work, all of it stays; it stops nobody.
   */
  async #retireOlder(): Promise<void> {
    this.#hasRetired = true;
    const { events, deadLetters } = this.#names.older;
    try {
      await this.#ask((channel) => channel.deleteExchange(events, { ifUnused: true }));
      if ((await this.waiting(deadLetters)) !== 0) return;
      await this.#ask(async (channel) => {
        await channel.deleteQueue(deadLetters);
        await channel.deleteExchange(deadLetters);
      });
    } catch {
      // It is in use, or the server does not answer; the next caller learns which.
    }
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

  /** One at a time, because an error closes the channel. */
  #ask<T>(question: (channel: Channel) => Promise<T>): Promise<T> {
    const answer = this.#turn.then(() => this.#askNow(question));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #askNow<T>(question: (channel: Channel) => Promise<T>): Promise<T> {
    const answerTimeoutMs = AbortSignal.timeout(this.#tuning.answerTimeoutMs);
    const impatient = new Promise<never>((_resolve, reject) => {
      answerTimeoutMs.addEventListener('abort', () => reject(this.#connection.unavailable()), { once: true });
    });
    const answering = this.#open(answerTimeoutMs).then(question);
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
    // The question under way fails; with none, the next opens another.
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
export function queueProperties({ maxBatches, maxBytes, expiresMs }: QueueBounds): Options.AssertQueue {
  return {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-single-active-consumer': true,
      'x-overflow': 'drop-head',
      'x-max-length': maxBatches,
      'x-max-length-bytes': maxBytes,
      'x-expires': expiresMs,
    },
  };
}

/** The exchange of the batches. */
export async function declareExchange(channel: Channel, names: Names): Promise<void> {
  await channel.assertExchange(names.events, 'topic', { durable: true });
}

/** AMQP's reply code, where an error bears one. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
