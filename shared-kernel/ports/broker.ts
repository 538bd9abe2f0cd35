import type { RecordedEvent } from '../message.js';

/** An event on its way from the relay to a queue. */
export interface Message {
  readonly event: RecordedEvent;
  readonly partition: number;
  /**
   * Position of the event before this one in the same partition, `beginning` for the first: a link of a chain by
   * which a consumer notices whatever the broker lost or reordered, the last message of a stream included.
   */
  readonly previous: number;
}

/** A queue: what one consumer (a projection at a version, or the process manager) reads of one partition. */
export interface QueueName {
  readonly consumer: string;
  readonly partition: number;
}

/** A message as a queue hands it out. Exactly one of `ack` and `nack` is called, once. */
export interface Delivery {
  readonly message: Message;
  readonly redelivered: boolean;
  /** It is done with and leaves the queue. */
  ack(): void;
  /** It was not done and comes again. */
  nack(): void;
}

export interface Consumer {
  /** Stops taking. Deliveries that were handed out and not acked come again, to the next consumer. */
  close(): Promise<void>;
}

/**
 * Carries events from the relay to the consumers' queues and wakes them. At least once, usually in order; never
 * trusted for completeness or order. Promises of every adapter, checked by `broker.contract.ts`:
 *
 * - A declared queue holds every message published to its partition from then on until it is acked.
 * - `publish` resolves when every queue declared for the messages' partitions holds them. Where a queue is full it
 *   waits, and so slows the relay: back-pressure.
 * - A consumer is handed at most `prefetch` messages that it has not acked.
 * - What is nacked, or was unacked when its consumer closed, is delivered again with `redelivered`, before what is
 *   younger.
 * - One queue has one active consumer at a time; others wait their turn.
 */
export interface Broker {
  /** Declares a queue; again is silence. Messages published before are not in it. */
  declare(queue: QueueName): Promise<void>;
  publish(messages: readonly Message[]): Promise<void>;
  /**
   * Hands out what is waiting, as many at once as there are and the prefetch allows. `onMessages` is not called again
   * for the same queue before the promise it returned is settled; what it throws stops the consumer as `close` does
   * and rejects `failed`.
   */
  consume(
    queue: QueueName,
    prefetch: number,
    onMessages: (deliveries: readonly Delivery[]) => Promise<void> | void,
  ): Promise<Consumer>;
  /** Deletes a queue and what is in it; its consumers are closed. */
  remove(queue: QueueName): Promise<void>;
  /** Messages in the queue, those handed out and not acked included. */
  depth(queue: QueueName): Promise<number>;
  close(): Promise<void>;
}
