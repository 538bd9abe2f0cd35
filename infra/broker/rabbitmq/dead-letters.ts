import type { ConsumeMessage, Options } from 'amqplib';
import type { Connection } from './connection.js';
import type { Names } from './names.js';
import { declareExchanges, type Topology } from './topology.js';

/** What could not be decoded, kept as it came, with the reason. Rare, so each takes a channel of its own. */
export class DeadLetters {
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #topology: Topology;

  constructor(connection: Connection, names: Names, topology: Topology) {
    this.#connection = connection;
    this.#names = names;
    this.#topology = topology;
  }

  /** Resolves when the dead-letter queue holds it. Throws when the connection breaks; it may then be there twice. */
  async put({ content, fields, properties }: ConsumeMessage, queue: string, reason: string): Promise<void> {
    const model = await this.#connection.model();
    const channel = await model.createConfirmChannel();
    channel.on('error', () => undefined);
    await declareExchanges(channel, this.#names);
    const letter: Options.Publish = {
      persistent: true,
      headers: { ...properties.headers, 'x-waybill-queue': queue, 'x-waybill-reason': reason },
    };
    for (const name of ['contentType', 'messageId', 'type'] as const) {
      const value: unknown = properties[name];
      if (typeof value === 'string') letter[name] = value;
    }
    channel.publish(this.#names.deadLetters, fields.routingKey, content, letter);
    await channel.waitForConfirms();
    await channel.close();
  }

  /** How many there are. */
  async count(): Promise<number> {
    return (await this.#topology.waiting(this.#names.deadLetters)) ?? 0;
  }
}
