import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Broker, Consumer, Message, OnMessages, QueueName } from '@waybill/shared-kernel/ports/broker.js';
import { categoryNameOf, type Category } from '@waybill/shared-kernel/stream.js';
import { Queue } from './queue.js';

export interface MemoryBrokerOptions {
  /** Messages a queue holds before `publish` waits for it. */
  readonly capacity: number;
}

/** A broker in the memory of this process: what it holds ends with it, and is then read from the log. */
export function openMemoryBroker(options: MemoryBrokerOptions = { capacity: 10_000 }): Broker {
  return new MemoryBroker(options);
}

interface Bound {
  readonly queue: Queue;
  readonly categories: Set<string>;
}

class MemoryBroker implements Broker {
  readonly #capacity: number;
  /** Partition → consumer → its queue. */
  readonly #partitions: Map<string, Bound>[] = [];
  #published: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({ capacity }: MemoryBrokerOptions) {
    this.#capacity = capacity;
  }

  async declare({ consumer, partition }: QueueName, categories: readonly Category[]): Promise<void> {
    this.#assertOpen();
    const queues = (this.#partitions[partition] ??= new Map<string, Bound>());
    const bound = queues.get(consumer);
    if (bound === undefined)
      queues.set(consumer, { queue: new Queue(this.#capacity), categories: new Set(categories) });
    else for (const category of categories) bound.categories.add(category);
  }

  publish(messages: readonly Message[]): Promise<void> {
    const published = this.#published.then(() => this.#put(messages));
    this.#published = published.catch(() => undefined);
    return published;
  }

  async consume(name: QueueName, prefetch: number, onMessages: OnMessages): Promise<Consumer> {
    return this.#queue(name).take(prefetch, onMessages);
  }

  async remove({ consumer, partition }: QueueName): Promise<void> {
    const queues = this.#partitions[partition];
    const bound = queues?.get(consumer);
    queues?.delete(consumer);
    await bound?.queue.remove();
  }

  async depth(name: QueueName): Promise<number> {
    return this.#queue(name).depth;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const queues = this.#partitions.flatMap((ofPartition) => [...ofPartition.values()]);
    this.#partitions.length = 0;
    await Promise.all(queues.map(({ queue }) => queue.remove()));
  }

  async #put(messages: readonly Message[]): Promise<void> {
    for (const message of messages) {
      this.#assertOpen();
      const queues = this.#partitions[message.partition];
      if (queues === undefined) continue;
      const category = categoryNameOf(message.event.stream);
      for (const { queue, categories } of queues.values()) {
        if (!categories.has(category)) continue;
        while (queue.isFull) await queue.room();
        queue.add(message);
      }
    }
    this.#assertOpen();
  }

  #queue({ consumer, partition }: QueueName): Queue {
    this.#assertOpen();
    const bound = this.#partitions[partition]?.get(consumer);
    if (bound === undefined) throw new Error(`queue ${consumer}/${partition} is not declared`);
    return bound.queue;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Unavailable('broker', 'The broker is closed.');
  }
}
