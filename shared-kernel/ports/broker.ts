import type { CategoryHeads } from '../category-heads.js';
import type { RecordedEvent } from '../message.js';
import type { Category } from '../stream.js';

/** An event on its way from the relay to a queue. */
export interface Message {
  readonly event: RecordedEvent;
  readonly partition: number;
  /** Identity of the log that it is of (`identityOf`): a queue may outlive a log, and positions mean nothing elsewhere. */
  readonly log: string;
  /**
   * The events before this one in the same partition: links of the chains by which a consumer, whatever categories it
   * takes, notices what the broker lost or reordered.
   */
  readonly previous: CategoryHeads;
}

/** A queue: what one consumer (a projection at a version, or the process manager) reads of one partition. */
export interface QueueName {
  readonly consumer: string;
  readonly partition: number;
}

/**
 * Works on messages that a queue hands out together, in the queue's order. `redelivered` says how many of them, from
 * the first, had been handed out before. What is answered is how many of them, from the first, are done with and leave
 * the queue (an ack of that many); the others come again (a nack). One answer for a batch, because a consumer takes
 * events strictly in order and commits them together.
 */
export type OnMessages = (messages: readonly Message[], redelivered: number) => Promise<number> | number;

export interface Consumer {
  /**
   * Stops taking. Resolves when the batch being worked on is answered; only then comes the turn of the next consumer.
   * So `onMessages` must not wait for it.
   */
  close(): Promise<void>;
  /**
   * Resolves when it has stopped, by `close`, by the removal of its queue or by the broker's `close`; rejects with
   * what `onMessages` threw or with `Unavailable` when the broker is lost.
   */
  readonly stopped: Promise<void>;
}

/**
 * Carries events from the relay to the consumers' queues and wakes them. At least once, usually in order; never
 * trusted for completeness or order. Promises of every adapter, checked by `broker.contract.ts`:
 *
 * - A declared queue holds every message of its categories published to its partition from then on until it is acked.
 * - `publish` resolves when every queue declared for the messages' partitions and categories holds them. Where a queue is full it
 *   waits, and so slows the relay: back-pressure. Calls that overlap take effect in their order.
 * - A consumer is handed at most `prefetch` messages at once, and the next when it has answered.
 * - What was not done, by the answer, by a throw or by a lost connection, is delivered again, counted in `redelivered`,
 *   before what is younger.
 * - One queue has one active consumer at a time; others wait their turn.
 */
export interface Broker {
  /** Declares a queue; again is silence, and more categories are added. Messages published before are not in it. */
  declare(queue: QueueName, categories: readonly Category[]): Promise<void>;
  publish(messages: readonly Message[]): Promise<void>;
  /**
   * Hands out what is waiting, as many at once as there are and `prefetch` allows. `onMessages` is not called before this
   * resolved, nor again before its answer. An answer of less than it was given is followed by those same messages again without a pause:
   * whoever needs time waits before answering. A throw counts as the answer 0 and stops the consumer.
   */
  consume(queue: QueueName, prefetch: number, onMessages: OnMessages): Promise<Consumer>;
  /** Deletes a queue and what is in it; its consumers stop, once they have answered. */
  remove(queue: QueueName): Promise<void>;
  /** Messages in the queue, those handed out and not yet done with included. */
  depth(queue: QueueName): Promise<number>;
  close(): Promise<void>;
}
