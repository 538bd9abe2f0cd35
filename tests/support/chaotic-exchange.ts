import { type Channel, type ChannelModel, connect, type ConsumeMessage } from 'amqplib';
import type { QueueName } from '@waybill/shared-kernel/ports/broker.js';
import type { Category } from '@waybill/shared-kernel/stream.js';
import { bindingKey, Names } from '@waybill/infra/broker/rabbitmq/names.js';

/** What becomes of a message on its way to a queue. `late`: it comes after the next that is not late. */
export type Fate = 'arrives' | 'twice' | 'lost' | 'late';

/** A queue, and what its consumer has it bound to. */
export interface BoundQueue extends QueueName {
  readonly categories: readonly Category[];
}

/** The names that processes give what they declare. */
export const names = new Names('waybill');

/**
 * Stands between the exchange of the events and queues: what is published from now on reaches them as fate has it.
 * A consumer that declares its queue anew is bound to the exchange directly again.
 */
export class ChaoticExchange {
  readonly #model: ChannelModel;
  readonly #channel: Channel;
  readonly #queues: readonly BoundQueue[];
  readonly #fate: () => Fate;
  readonly #late: ConsumeMessage[] = [];
  readonly counts: Record<Fate, number> = { arrives: 0, twice: 0, lost: 0, late: 0 };

  private constructor(model: ChannelModel, channel: Channel, queues: readonly BoundQueue[], fate: () => Fate) {
    this.#model = model;
    this.#channel = channel;
    this.#queues = queues;
    this.#fate = fate;
  }

  /** `url`: of the server, reached by no proxy. */
  static async between(url: string, queues: readonly BoundQueue[], fate: () => Fate): Promise<ChaoticExchange> {
    const model = await connect(url);
    const channel = await model.createChannel();
    const chaos = new ChaoticExchange(model, channel, queues, fate);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, names.events, '#');
    await channel.consume(queue, (message) => message !== null && chaos.#take(message), { noAck: true });
    for (const each of queues) {
      for (const key of keysOf(each)) await channel.unbindQueue(names.queue(each), names.events, key);
    }
    return chaos;
  }

  /** Lets everything through again. What was late stays lost. */
  async end(): Promise<void> {
    for (const queue of this.#queues) {
      for (const key of keysOf(queue)) await this.#channel.bindQueue(names.queue(queue), names.events, key);
    }
    await this.#model.close();
  }

  #take(message: ConsumeMessage): void {
    const fate = this.#fate();
    this.counts[fate] += 1;
    if (fate === 'late') this.#late.push(message);
    if (fate === 'late' || fate === 'lost') return;
    this.#send(message);
    if (fate === 'twice') this.#send(message);
    for (const late of this.#late.splice(0)) this.#send(late);
  }

  #send({ fields, properties, content }: ConsumeMessage): void {
    for (const queue of this.#queues) {
      const [partition, ...categories] = fields.routingKey.split('.');
      if (partition !== String(queue.partition)) continue;
      if (!queue.categories.some((category) => categories.includes(category))) continue;
      this.#channel.sendToQueue(names.queue(queue), content, { ...properties, persistent: true });
    }
  }
}

function keysOf({ partition, categories }: BoundQueue): readonly string[] {
  return categories.map((category) => bindingKey(partition, category));
}
