import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { QueueName } from '@waybill/shared-kernel/ports/broker.js';
import { categoryNameOf, type Category } from '@waybill/shared-kernel/stream.js';

/**
 * Names on the server. They are a storage format: queues outlive the process. What is declared in another way gets
 * another name, so that programs of both ways can work side by side.
 */
export class Names {
  /** What was there before batches; nothing declares it any more, and it is deleted where it is met. */
  readonly older: OlderNames;

  /** `prefix`: what they all begin with; several installations may share a server. */
  constructor(private readonly prefix: string) {
    this.older = new OlderNames(prefix);
  }

  /** Topic exchange that takes every batch. */
  get events(): string {
    return `${this.prefix}.event-batches`;
  }

  /** Queue of what cannot be decoded. */
  get deadLetters(): string {
    return `${this.prefix}.undecodable`;
  }

  queue({ consumer, partition }: QueueName): string {
    return `${this.prefix}.batches.${consumer}.${partition}`;
  }

  /** Queue of the requests to a service. */
  requests(service: string): string {
    return `${this.prefix}.requests.${service}`;
  }
}

class OlderNames {
  constructor(private readonly prefix: string) {}

  /** Exchange that took every event by itself. */
  get events(): string {
    return `${this.prefix}.events`;
  }

  /** Exchange and queue of what could not be decoded or was dropped. */
  get deadLetters(): string {
    return `${this.prefix}.dead-letters`;
  }

  queue({ consumer, partition }: QueueName): string {
    return `${this.prefix}.${consumer}.${partition}`;
  }
}

/** What AMQP takes as a routing key. */
const longestKey = 255;

/** Routing key of a batch: `<partition>.<category>.<category>…`, as many of its categories as there is room for. */
export function routingKeyOf(partition: number, events: readonly Pick<RecordedEvent, 'stream'>[]): string {
  const names = [...new Set(events.map(({ stream }) => categoryNameOf(stream)))].sort();
  let key = String(partition);
  for (const name of names) if (Buffer.byteLength(`${key}.${name}`) <= longestKey) key += `.${name}`;
  return key;
}

/** What a queue is bound with that takes batches with events of the category. */
export function bindingKey(partition: number, category: Category): string {
  return `${partition}.#.${category}.#`;
}
