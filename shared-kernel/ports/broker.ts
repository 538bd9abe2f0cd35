import type { RecordedEvent } from '../message.js';
import type { Category } from '../stream.js';

/** What a partition held before a batch, as far as whoever made the batch has read it. */
export interface PreviousEvents {
  /** The log was read from here on: of a category that is not in `positions`, there may be any event up to here. */
  readonly since: number;
  /** Category, as stream names begin with it → position of the last event of it after `since` and before the batch. */
  readonly positions: Readonly<Record<string, number>>;
}

/** Events of one partition on their way from the relay to the queues, at least one. */
export interface EventBatch {
  /** Identity of the log that they are of (`identityOf`): a queue may outlive a log. */
  readonly log: string;
  readonly partition: number;
  /** By which a consumer, whatever categories it takes, notices that something is missing before this batch. */
  readonly previous: PreviousEvents;
  /** In the order of the log. */
  readonly events: readonly RecordedEvent[];
  /** All events of the partition up to this position are in this batch or before it. */
  readonly through: number;
}

/** A queue: what one consumer (a projection at a version, or the process manager) reads of one partition. */
export interface QueueName {
  readonly consumer: string;
  readonly partition: number;
}

/** Works on batches that a queue hands out together, in its order. They leave the queue when this resolves. */
export type OnBatches = (batches: readonly EventBatch[]) => Promise<void> | void;

export interface Consumer {
  /**
   * Stops taking. Resolves when the batches being worked on are done with; only then comes the turn of the next
   * consumer. So `onBatches` must not wait for it.
   */
  close(): Promise<void>;
  /**
   * Resolves when it has stopped, by `close`, by the removal of its queue or by the broker's `close`; rejects with
   * what `onBatches` threw, or with `Unavailable` when queue or broker is lost.
   */
  readonly stopped: Promise<void>;
}

/** What a queue holds at most. What is oldest is dropped for what is younger. */
export interface QueueBounds {
  readonly maxBatches: number;
  /** Of events as JSON. */
  readonly maxBytes: number;
  /** How long a queue lasts that nobody consumes and nobody declares, milliseconds. */
  readonly expiresMs: number;
}

export const queueBounds: QueueBounds = { maxBatches: 1000, maxBytes: 16 * 1024 * 1024, expiresMs: 30 * 60_000 };

/** Brings batches to the queues. Nobody who publishes waits for a consumer or is refused by a queue. */
export interface BatchPublisher {
  /** Resolves when the broker has confirmed them, whether or not there was a queue for them. */
  publish(batches: readonly EventBatch[]): Promise<void>;
}

/**
 * The queues of consumers.
 *
 * - A declared queue gets each batch published to its partition from then on that holds an event of its categories, once
 *   however many it holds.
 * - What a queue holds is handed out until it is done with: at least once, usually in order.
 * - A queue is bounded (`QueueBounds`): what is oldest is dropped.
 * - One queue has one active consumer at a time; others wait their turn.
 * - What was not done, by a throw or by a lost connection, is handed out again.
 * - A queue that nobody uses goes away.
 */
export interface BatchQueues {
  /** Declares a queue; again is a no-op, and more categories are added. Batches published before are not in it. */
  declare(queue: QueueName, categories: readonly Category[]): Promise<void>;
  /**
   * Hands out what is waiting, at most `prefetch` batches at once. `onBatches` is not called before this resolved, nor
   * again before it has resolved. A throw stops the consumer. Rejects where the queue is not declared.
   */
  consume(queue: QueueName, prefetch: number, onBatches: OnBatches): Promise<Consumer>;
  /** Deletes a queue and what is in it; its consumers stop, once they are done. */
  remove(queue: QueueName): Promise<void>;
  /** Batches that wait in the queue; those handed out may be among them. Rejects where the queue is not declared. */
  depth(queue: QueueName): Promise<number>;
}

/**
 * A doorbell that also carries: it brings events from the relay to the consumers' queues. The log alone says what there
 * is; whatever a broker loses, doubles, delays or reorders is late, and nothing worse. What each role promises every adapter
 * keeps, checked by `broker.contract.ts`.
 */
export interface Broker extends BatchPublisher, BatchQueues {
  close(): Promise<void>;
}
