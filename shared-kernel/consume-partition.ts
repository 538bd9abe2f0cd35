import { backOffDelay, type BackOff } from './back-off.js';
import { Unavailable } from './errors.js';
import { refuseFuture } from './events/upcast.js';
import { followChain } from './follow-chain.js';
import type { RecordedEvent } from './message.js';
import { partitionOf } from './partition.js';
import type { Broker, Consumer, Message } from './ports/broker.js';
import type { Randomness, Timer } from './ports/clock.js';
import { beginning, type EventStore } from './ports/event-store.js';
import type { ReadStore } from './ports/read-store.js';
import { readLog } from './read-stream.js';
import { categoryOf, type Category } from './stream.js';

/** What is done with the events of one partition. */
export interface PartitionTarget {
  /** Name of its queue, such as `orders.v1` or `fulfilment`. */
  readonly consumer: string;
  readonly partition: number;
  /** Categories whose events it is given; the others only move its position. */
  readonly categories: readonly Category[];
  /** Everything of the partition up to here is applied. */
  position(): Promise<number>;
  /**
   * Applies the events that come next, then, or together with them, records `position`. Nothing is in flight when it
   * resolves. Whatever it throws pauses the partition, and the same events come again: it must bear that. None of them
   * is from the future; to upcast them is the target's business, which knows what to do where that fails.
   */
  apply(events: readonly RecordedEvent[], position: number): Promise<void>;
}

export interface ConsumerMeans {
  readonly broker: Pick<Broker, 'declare' | 'consume'>;
  readonly store: Pick<EventStore, 'readAll'>;
  /** Says how far each partition has been relayed, by which a lost last message is noticed. */
  readonly checkpoints: Pick<ReadStore, 'relayCheckpoint'>;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Told of each fault that pauses a partition; `of`: `<consumer>/<partition>`. */
  readonly report?: (fault: Error, of: string) => void;
}

export interface ConsumerTuning {
  /** Most events that are applied at once. */
  readonly batch: number;
  /** Milliseconds without progress after which it asks whether it missed something. */
  readonly idle: number;
  readonly backOff: BackOff;
}

export const consumerTuning: ConsumerTuning = { batch: 1000, idle: 2000, backOff: { first: 50, most: 10_000 } };

/**
 * `catching-up`: reads the log. `following`: takes messages as they come. `paused`: something failed, or an event is
 * newer than this program (`EventFromTheFuture`); it tries again, in place and in order, and never skips.
 */
export interface ConsumerState {
  readonly mode: 'catching-up' | 'following' | 'paused' | 'stopped';
  /** Everything of the partition up to here is applied; `undefined` until it is known. */
  readonly position: number | undefined;
  /** Why it is paused. */
  readonly fault?: Error;
}

export interface PartitionConsumer {
  state(): ConsumerState;
  /** Finishes what is being applied, then stops. */
  stop(): Promise<void>;
}

/**
 * Consumes one partition, strictly in order and each event at least once, until it is stopped. The log is the truth
 * and the broker only wakes and carries: from the start, after a gap, after a failure, and when a message was lost at
 * the end, events are read from the log; messages that come meanwhile are let go, so a partition that stands still
 * fills no queue and holds up nobody.
 */
export function consumePartition(
  target: PartitionTarget,
  means: ConsumerMeans,
  tuning: ConsumerTuning = consumerTuning,
): PartitionConsumer {
  const consumption = new Consumption(target, means, tuning);
  const finished = consumption.run();
  return {
    state: () => consumption.state(),
    stop: () => {
      consumption.requestStop();
      return finished;
    },
  };
}

class Consumption {
  readonly #target: PartitionTarget;
  readonly #means: ConsumerMeans;
  readonly #tuning: ConsumerTuning;
  readonly #categories: ReadonlySet<Category>;

  // While following, messages are applied as they come; else the loop reads the log. So nothing is applied twice at once.
  #mode: ConsumerState['mode'] = 'catching-up';
  #position: number | undefined;
  #fault: Error | undefined;
  #failures = 0;
  /** The greatest position a message had: the log has been read far enough only when it was passed. */
  #seen = beginning;
  #applying = false;
  /** Settles, never rejects, when the messages last taken are worked on. */
  #taken: Promise<void> = Promise.resolve();
  #stopping = false;
  #consumer: Consumer | undefined;
  #nap = new AbortController();

  constructor(target: PartitionTarget, means: ConsumerMeans, tuning: ConsumerTuning) {
    this.#target = target;
    this.#means = means;
    this.#tuning = tuning;
    this.#categories = new Set(target.categories);
  }

  state(): ConsumerState {
    return {
      mode: this.#mode,
      position: this.#position,
      ...(this.#fault === undefined ? {} : { fault: this.#fault }),
    };
  }

  requestStop(): void {
    this.#stopping = true;
    this.#wake();
  }

  /** The loop: whatever state it finds itself in, it goes on from there. */
  async run(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#connect();
        if (this.#mode !== 'following') await this.#readLog();
        await this.#waitForTrouble();
      } catch (error) {
        this.#pause(error);
        await this.#sleep(backOffDelay(this.#tuning.backOff, this.#failures, this.#means.randomness));
        this.#failures += 1;
      }
    }
    await this.#consumer?.close();
    this.#mode = 'stopped';
  }

  async #connect(): Promise<void> {
    if (this.#consumer !== undefined) return;
    const queue = { consumer: this.#target.consumer, partition: this.#target.partition };
    await this.#means.broker.declare(queue);
    const consumer = await this.#means.broker.consume(queue, this.#tuning.batch, (messages) => this.#take(messages));
    this.#consumer = consumer;
    const lost = (reason: unknown): void => {
      if (this.#stopping || this.#consumer !== consumer) return;
      this.#consumer = undefined;
      this.#pause(
        reason ?? new Unavailable('broker', `The queue of ${queue.consumer}/${queue.partition} was removed.`),
      );
      this.#wake();
    };
    consumer.stopped.then(() => lost(undefined), lost);
  }

  /** Applies what the log has after the own position, up to its end and past every message seen. */
  async #readLog(): Promise<void> {
    await this.#taken;
    this.#position ??= await this.#target.position();
    do {
      const due = this.#seen;
      await this.#readToEnd(this.#position);
      if (this.#stopping) return;
      if (this.#position < due) throw new Unavailable('event store', `The log does not show position ${due} yet.`);
    } while (this.#position < this.#seen);
    this.#mode = 'following';
    this.#fault = undefined;
    this.#failures = 0;
  }

  async #readToEnd(from: number): Promise<void> {
    for await (const page of readLog(this.#means.store, from, Infinity, this.#tuning.batch)) {
      const events = page.filter((event) => partitionOf(event.partitionKey) === this.#target.partition);
      const end = page.at(-1)!.position;
      if (events.length > 0) await this.#apply(events, end);
      this.#position = end;
      if (this.#stopping) return;
    }
  }

  /** Applies messages along the chain. All of them leave the queue: what could not be applied is in the log. */
  async #take(messages: readonly Message[]): Promise<number> {
    for (const { event } of messages) this.#seen = Math.max(this.#seen, event.position);
    if (this.#mode !== 'following' || this.#position === undefined) return messages.length;
    this.#taken = this.#follow(this.#position, messages);
    await this.#taken;
    return messages.length;
  }

  async #follow(position: number, messages: readonly Message[]): Promise<void> {
    const { events, gap } = followChain(position, messages);
    this.#applying = true;
    try {
      if (events.length > 0) await this.#apply(events, events.at(-1)!.position);
      if (gap && this.#mode === 'following') {
        this.#mode = 'catching-up';
        this.#wake();
      }
    } catch (error) {
      this.#pause(error);
      this.#wake();
    } finally {
      this.#applying = false;
    }
  }

  /** The step: the events it takes, up to the first that is from the future, then the mark behind them. */
  async #apply(events: readonly RecordedEvent[], end: number): Promise<void> {
    const taken: RecordedEvent[] = [];
    let before = this.#position;
    for (const event of events) {
      try {
        const category = categoryOf(event.stream);
        if (category !== undefined && this.#categories.has(category)) {
          refuseFuture(event);
          taken.push(event);
        }
      } catch (error) {
        if (before !== undefined && before !== this.#position) {
          await this.#target.apply(taken, before);
          this.#position = before;
        }
        throw error;
      }
      before = event.position;
    }
    await this.#target.apply(taken, end);
    this.#position = end;
  }

  /** While messages come and are applied there is nothing to do here. Throws what went wrong with one. */
  async #waitForTrouble(): Promise<void> {
    const before = this.#position;
    if (this.#isFollowing()) await this.#sleep(this.#tuning.idle);
    if (this.#mode === 'paused' && this.#fault !== undefined) throw this.#fault;
    if (!this.#isQuietSince(before)) return;
    const { heads } = await this.#means.checkpoints.relayCheckpoint();
    const relayed = heads[this.#target.partition]?.position ?? beginning;
    if (this.#isQuietSince(before) && relayed > (before ?? beginning)) this.#mode = 'catching-up';
  }

  #isFollowing(): boolean {
    return this.#mode === 'following';
  }

  #isQuietSince(position: number | undefined): boolean {
    return this.#isFollowing() && !this.#applying && !this.#stopping && this.#position === position;
  }

  #pause(reason: unknown): void {
    const fault = reason instanceof Error ? reason : new Error(String(reason));
    this.#mode = 'paused';
    const { consumer, partition } = this.#target;
    if (this.#fault !== fault) this.#means.report?.(fault, `${consumer}/${partition}`);
    this.#fault = fault;
  }

  async #sleep(milliseconds: number): Promise<void> {
    if (this.#stopping) return;
    this.#nap = new AbortController();
    await this.#means.timer.sleep(milliseconds, this.#nap.signal);
  }

  #wake(): void {
    this.#nap.abort();
  }
}
