import type { ConfirmChannel, ConsumeMessage, Options } from 'amqplib';
import { systemTimer } from '../../clock/system.js';
import type { Connection } from './connection.js';
import type { Names } from './names.js';
import type { Topology } from './topology.js';
import type { RabbitMqTuning } from './tuning.js';

const maxLetters = 1000;
const maxBytes = 64 * 1024 * 1024;

/** What could not be decoded, kept as it came, with the reason: the latest of it. Rare, so each takes a channel of its own. */
export class DeadLetters {
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #topology: Topology;
  readonly #tuning: RabbitMqTuning;

  constructor(connection: Connection, names: Names, topology: Topology, tuning: RabbitMqTuning) {
    this.#connection = connection;
    this.#names = names;
    this.#topology = topology;
    this.#tuning = tuning;
  }

  /**
   * Resolves when the dead-letter queue holds it. Throws when the connection breaks, or the server does not answer in
   * time; it may then be there twice.
   */
  async put(message: ConsumeMessage, queue: string, reason: string): Promise<void> {
    const answerTimeoutMs = AbortSignal.timeout(this.#tuning.answerTimeoutMs);
    const channel = await (await this.#connection.model(answerTimeoutMs)).createConfirmChannel();
    channel.on('error', () => undefined);
    const over = new AbortController();
    const impatient = systemTimer.sleep(this.#tuning.answerTimeoutMs, over.signal).then(() => {
      if (!over.signal.aborted) throw this.#connection.unavailable();
    });
    try {
      await Promise.race([this.#send(channel, message, queue, reason), impatient]);
    } finally {
      over.abort();
      channel.close().catch(() => undefined);
    }
  }

  async #send(channel: ConfirmChannel, message: ConsumeMessage, queue: string, reason: string): Promise<void> {
    const { content, fields, properties } = message;
    const name = this.#names.deadLetters;
    await channel.assertQueue(name, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-overflow': 'drop-head',
        'x-max-length': maxLetters,
        'x-max-length-bytes': maxBytes,
      },
    });
    const headers = {
      ...properties.headers,
      'x-waybill-queue': queue,
      'x-waybill-routing-key': fields.routingKey,
      'x-waybill-reason': reason,
    };
    const letter: Options.Publish = { persistent: true, headers };
    for (const property of ['contentType', 'messageId', 'type'] as const) {
      const value: unknown = properties[property];
      if (typeof value === 'string') letter[property] = value;
    }
    channel.sendToQueue(name, content, letter);
    await channel.waitForConfirms();
  }

  /** How many there are. */
  async count(): Promise<number> {
    return (await this.#topology.waiting(this.#names.deadLetters)) ?? 0;
  }
}
