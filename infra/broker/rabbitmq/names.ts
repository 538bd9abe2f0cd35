import type { QueueName } from '@waybill/shared-kernel/ports/broker.js';

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

/** Routing key that a queue of the partition is bound with. */
export function bindingKey(partition: number): string {
  return `${partition}.#`;
}
