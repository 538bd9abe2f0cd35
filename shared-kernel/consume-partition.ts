import { backOffDelay, type BackOff } from './back-off.js';
import { doneUpTo, headOf } from './category-heads.js';
import { Unavailable } from './errors.js';
import { refuseFuture } from './events/upcast.js';
import { followChain } from './follow-chain.js';
import { identityOf } from './log-identity.js';
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
  /** Categories whose events it is given. */
  readonly categories: readonly Category[];
  /** Everything of its categories in the partition up to here is applied. */
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
  /** Told of each fault that pauses a partition, and of messages of another log; `of`: `<consumer>/<partition>`. */
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
  /** Everything of its categories up to here is applied; `undefined` until it is known. */
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
  /** Identity of the log; `undefined` until it is known to hold an event. */
  #log: string | undefined;
  /** The greatest position a message had: the log has been read far enough only when it was passed. */
  #seen = beginning;
  /** A message came before it was known whether it is of this log. */
  #isUnsure = false;
  #hasMetAnother = false;
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
    await this.#means.broker.declare(queue, this.#target.categories);
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
    this.#position ??= await this.#firstPosition();
    do {
      this.#isUnsure = false;
      this.#log ??= await identityOf(this.#means.store);
      const due = this.#seen;
      await this.#readToEnd(this.#position);
      if (this.#stopping) return;
      if (this.#position < due) throw new Unavailable('event store', `The log does not show position ${due} yet.`);
    } while (this.#position < this.#seen || this.#isUnsure);
    this.#mode = 'following';
    this.#fault = undefined;
    this.#failures = 0;
  }

  async #firstPosition(): Promise<number> {
    const { partition, categories } = this.#target;
    const checkpoint = await this.#means.checkpoints.relayCheckpoint();
    return doneUpTo(await this.#target.position(), partition, categories, checkpoint);
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
    const ours = this.#ours(messages);
    for (const { event } of ours) this.#seen = Math.max(this.#seen, event.position);
    if (this.#mode === 'following' && this.#position !== undefined && ours.length > 0) {
      this.#taken = this.#follow(this.#position, ours);
      await this.#taken;
    }
    return messages.length;
  }

  /** Those of this log. A queue outlives a log that was thrown away, and may then hold messages of that. */
  #ours(messages: readonly Message[]): readonly Message[] {
    if (this.#log === undefined) {
      // The log had no event when it was last looked at. If they are of it, they are in it by now.
      this.#isUnsure = true;
      if (this.#mode === 'following') this.#catchUp();
      return [];
    }
    if (messages.every(({ log }) => log === this.#log)) return messages;
    if (!this.#hasMetAnother) {
      this.#hasMetAnother = true;
      this.#report(new Error('Messages of another log were in the queue, and are let go.'));
    }
    return messages.filter(({ log }) => log === this.#log);
  }

  #catchUp(): void {
    this.#mode = 'catching-up';
    this.#wake();
  }

  async #follow(position: number, messages: readonly Message[]): Promise<void> {
    const { events, gap } = followChain(position, this.#target.categories, messages);
    this.#applying = true;
    try {
      if (events.length > 0) await this.#apply(events, events.at(-1)!.position);
      if (gap && this.#mode === 'following') this.#catchUp();
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
    const checkpoint = await this.#means.checkpoints.relayCheckpoint();
    if (!this.#isQuietSince(before) || this.#position === undefined) return;
    const { partition, categories } = this.#target;
    if (headOf(checkpoint.heads[partition], categories) > this.#position) this.#mode = 'catching-up';
    else this.#position = doneUpTo(this.#position, partition, categories, checkpoint);
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
    if (this.#fault !== fault) this.#report(fault);
    this.#fault = fault;
  }

  #report(fault: Error): void {
    const { consumer, partition } = this.#target;
    this.#means.report?.(fault, `${consumer}/${partition}`);
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
