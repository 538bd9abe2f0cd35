import type { RecordedEvent } from '../message.js';
import type { Category } from '../stream.js';

/** What the partition holds before a batch, as far as the relay has read the log. */
export interface PreviousEvents {
  /** The log was read from this position on. Categories that are not in `positions` may have events up to here. */
  readonly since: number;
  /** Category, as stream names begin with it → position of the last event of it after `since` and before the batch. */
  readonly positions: Readonly<Record<string, number>>;
}

/** Events of one partition on their way from the relay to the queues, at least one. */
export interface EventBatch {
  /** Identity of the events' log: a queue may outlive a log. */
  readonly log: string;
  readonly partition: number;
  /** Shows a consumer, whatever categories it takes, that events are missing before this batch. */
  readonly previous: PreviousEvents;
  /** In the order of the log. */
  readonly events: readonly RecordedEvent[];
  /** All events of the partition up to this position are in this batch or before it. */
  readonly through: number;
}

/** The queue of one partition for one consumer (a projection at a version, or the process manager). */
export interface QueueName {
  readonly consumer: string;
  readonly partition: number;
}

/** Handles batches that a queue hands out together, in order. They leave the queue when this resolves. */
export type OnBatches = (batches: readonly EventBatch[]) => Promise<void> | void;

export interface Consumer {
  /**
   * Takes no more batches. Resolves when those being handled are done; the next consumer has its turn only then. So
   * `onBatches` must not wait for it.
   */
  close(): Promise<void>;
  /**
   * Resolves when it has stopped, by `close`, by the removal of its queue or by the broker's `close`; rejects with
   * what `onBatches` threw, or with `Unavailable` when queue or broker is lost.
   */
  readonly stopped: Promise<void>;
}

/** Bounds of a queue. The oldest batches are dropped for newer ones. */
export interface QueueBounds {
  readonly maxBatches: number;
  /** Of events as JSON. */
  readonly maxBytes: number;
  /** Milliseconds for which a queue lasts that nobody consumes or declares. */
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
 * - A batch that was not done, because of a throw or a lost connection, is handed out again.
 * - A queue that nobody uses goes away.
 */
export interface BatchQueues {
  /** Declares a queue; again is a no-op, and more categories are added. Batches published before are not in it. */
  declare(queue: QueueName, categories: readonly Category[]): Promise<void>;
  /**
   * Hands out waiting batches, at most `prefetch` at once. `onBatches` is first called after this has resolved, and
   * again only after its last call has. If it throws, the consumer stops. Rejects if the queue is not declared.
   */
  consume(queue: QueueName, prefetch: number, onBatches: OnBatches): Promise<Consumer>;
  /** Deletes a queue and its batches; its consumers stop once they are done. */
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
