import { randomUUID } from 'node:crypto';
import type { Broker } from '@waybill/shared-kernel/ports/broker.js';
import { connect } from 'amqplib';
import { openRabbitMqBroker, type RabbitMqBroker, type RabbitMqOptions } from '../broker.js';
import { Names } from '../names.js';

/** Names on a server that no other test uses, and their removal. */
export class ScratchNames {
  readonly prefix = `waybill-test-${randomUUID().slice(0, 8)}`;
  readonly names = new Names(this.prefix);
  readonly #queues = new Set<string>();

  /** A broker with names of its own, whatever else is on the server. */
  open(options: Omit<RabbitMqOptions, 'prefix'>): RabbitMqBroker {
    const broker = openRabbitMqBroker({ ...options, prefix: this.prefix });
    const declare: Broker['declare'] = (queue, categories) => {
      this.#queues.add(this.names.queue(queue));
      return broker.declare(queue, categories);
    };
    return {
      declare,
      publish: (batches) => broker.publish(batches),
      consume: (queue, prefetch, onBatches) => broker.consume(queue, prefetch, onBatches),
      remove: (queue) => broker.remove(queue),
      depth: (queue) => broker.depth(queue),
      deadLetters: () => broker.deadLetters(),
      assertConnected: () => broker.assertConnected(),
      close: () => broker.close(),
    };
  }

  /** Deletes everything that was declared under these names. */
  async dispose(url: string): Promise<void> {
    const model = await connect(url);
    const channel = await model.createChannel();
    for (const queue of [...this.#queues, this.names.deadLetters]) await channel.deleteQueue(queue);
    for (const exchange of [this.names.events]) await channel.deleteExchange(exchange);
    await model.close();
  }
}
