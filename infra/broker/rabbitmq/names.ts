import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { QueueName } from '@waybill/shared-kernel/ports/broker.js';
import { categoryNameOf, type Category } from '@waybill/shared-kernel/stream.js';

/** Names on the server. They are a storage format: queues outlive the process. */
export class Names {
  /** `prefix`: what they all begin with; several installations may share a server. */
  constructor(private readonly prefix: string) {}

  /** Topic exchange that takes every event. */
  get events(): string {
    return `${this.prefix}.events`;
  }

  /** Exchange and queue of what cannot be decoded. */
  get deadLetters(): string {
    return `${this.prefix}.dead-letters`;
  }

  queue({ consumer, partition }: QueueName): string {
    return `${this.prefix}.${consumer}.${partition}`;
  }

  /** Queue of the requests to a service. */
  requests(service: string): string {
    return `${this.prefix}.requests.${service}`;
  }
}

/** Routing key of an event, `<partition>.<category>.<type>`. */
export function routingKeyOf(partition: number, { stream, type }: Pick<RecordedEvent, 'stream' | 'type'>): string {
  return `${partition}.${categoryNameOf(stream)}.${type}`;
}

/** What a queue is bound with that takes events of the category. */
export function bindingKey(partition: number, category: Category): string {
  return `${partition}.${category}.#`;
}

/** What queues were bound with that took everything of a partition, before there were bindings by category. */
export function olderBindingKey(partition: number): string {
  return `${partition}.#`;
}
