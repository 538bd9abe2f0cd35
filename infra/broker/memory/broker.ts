import { Unavailable } from '@waybill/shared-kernel/errors.js';
import {
  queueBounds,
  type Broker,
  type Consumer,
  type EventBatch,
  type OnBatches,
  type QueueBounds,
  type QueueName,
} from '@waybill/shared-kernel/ports/broker.js';
import { categoryNameOf, type Category } from '@waybill/shared-kernel/stream.js';
import { Queue } from './queue.js';

/** A broker in the memory of this process: what it holds ends with it, and is then read from the log. */
export function openMemoryBroker(bounds: Partial<QueueBounds> = {}): Broker {
  return new MemoryBroker({ ...queueBounds, ...bounds });
}

interface Bound {
  readonly queue: Queue;
  readonly categories: Set<string>;
}

class MemoryBroker implements Broker {
  readonly #bounds: QueueBounds;
  /** Partition → consumer → its queue. */
  readonly #partitions: Map<string, Bound>[] = [];
  #isClosed = false;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  async declare({ consumer, partition }: QueueName, categories: readonly Category[]): Promise<void> {
    this.#assertOpen();
    const queues = this.#queues(partition);
    const bound = queues.get(consumer);
    if (bound === undefined) {
      queues.set(consumer, { queue: new Queue(this.#bounds), categories: new Set(categories) });
      return;
    }
    bound.queue.use();
    for (const category of categories) bound.categories.add(category);
  }

  async publish(batches: readonly EventBatch[]): Promise<void> {
    this.#assertOpen();
    for (const batch of batches) {
      const names = [...new Set(batch.events.map(({ stream }) => categoryNameOf(stream)))];
      for (const { queue, categories } of this.#queues(batch.partition).values()) {
        if (names.some((name) => categories.has(name))) queue.add(batch);
      }
    }
  }

  async consume(name: QueueName, prefetch: number, onBatches: OnBatches): Promise<Consumer> {
    return this.#queue(name).take(prefetch, onBatches);
  }

  async remove({ consumer, partition }: QueueName): Promise<void> {
    const queues = this.#queues(partition);
    const bound = queues.get(consumer);
    queues.delete(consumer);
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

  /** Of a partition, without those that nobody used for too long. */
  #queues(partition: number): Map<string, Bound> {
    const queues = (this.#partitions[partition] ??= new Map<string, Bound>());
    for (const [consumer, { queue }] of queues) if (queue.isExpired) queues.delete(consumer);
    return queues;
  }

  #queue({ consumer, partition }: QueueName): Queue {
    this.#assertOpen();
    const bound = this.#queues(partition).get(consumer);
    if (bound === undefined) throw new Error(`queue ${consumer}/${partition} is not declared`);
    return bound.queue;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Unavailable('broker', 'The broker is closed.');
  }
}
