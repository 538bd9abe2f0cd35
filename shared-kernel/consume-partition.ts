import { asError } from './as-error.js';
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
   * Applies the events that come next, then, or together with them, records `position`: at once or later, never before
   * they are applied. Nothing of them is in flight when it resolves. Whatever it throws pauses the partition, and the
   * same events come again: it must bear that. None of them is from the future; to upcast them is the target's
   * business, which knows what to do where that fails.
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

  // While following, messages are applied as they come, in turn; else the loop reads the log. So one thing is applied at a time.
  #mode: ConsumerState['mode'] = 'catching-up';
  #position: number | undefined;
  #fault: Error | undefined;
  #failures = 0;
  /** Identity of the log; `undefined` until it is known to hold an event. */
  #log: string | undefined;
  /** The greatest position of a message that was let go: the log has been read far enough only when it was passed. */
  #letGo = beginning;
  /** It has nearly read the log to its end; messages wait for that. */
  #isJoining = false;
  #waiting: (() => void)[] = [];
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
    this.#admit();
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

  /**
   * Applies what the log has after the own position, up to its end and past every message that was let go, then follows.
   * What comes while it reads the last of it is kept waiting: under load there is always something that came meanwhile.
   */
  async #readLog(): Promise<void> {
    await this.#taken;
    this.#position ??= await this.#firstPosition();
    await this.#read(Infinity);
    this.#isJoining = true;
    try {
      const due = this.#letGo;
      await this.#read(Infinity);
      if (this.#stopping) return;
      this.#log ??= await identityOf(this.#means.store);
      this.#requireShown(due);
      this.#mode = 'following';
      this.#fault = undefined;
      this.#failures = 0;
    } finally {
      this.#isJoining = false;
      this.#admit();
    }
  }

  async #firstPosition(): Promise<number> {
    const { partition, categories } = this.#target;
    const checkpoint = await this.#means.checkpoints.relayCheckpoint();
    return doneUpTo(await this.#target.position(), partition, categories, checkpoint);
  }

  /** Applies what the log has after the own position, up to and including another, or to where its end was met. */
  async #read(upTo: number): Promise<void> {
    const { batch } = this.#tuning;
    for await (const page of readLog(this.#means.store, this.#position ?? beginning, upTo, batch)) {
      const events = page.filter(
        ({ partitionKey, stream }) => partitionOf(partitionKey) === this.#target.partition && this.#takes(stream),
      );
      const end = page.at(-1)!.position;
      if (events.length > 0) await this.#apply(events, end);
      this.#position = end;
      if (this.#stopping || page.length < batch) return;
    }
  }

  #requireShown(position: number): void {
    if (this.#stopping || (this.#position ?? beginning) >= position) return;
    throw new Unavailable('event store', `The log does not show position ${position} yet.`);
  }

  /** All messages leave the queue: what could not be applied is in the log. */
  async #take(messages: readonly Message[]): Promise<number> {
    while (this.#isJoining && !this.#stopping) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    // In turn, because a consumer that was lost may still be working when the next one begins.
    this.#taken = this.#taken.then(() => (this.#mode === 'following' ? this.#follow(messages) : this.#leave(messages)));
    await this.#taken;
    return messages.length;
  }

  #admit(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #leave(messages: readonly Message[]): void {
    for (const { log, event } of messages) if (log === this.#log) this.#letGo = Math.max(this.#letGo, event.position);
  }

  /** Applies messages along the chain; what is missing in between is in the log. Never rejects. */
  async #follow(messages: readonly Message[]): Promise<void> {
    this.#applying = true;
    try {
      const ours = await this.#ours(messages);
      for (;;) {
        const { events, missing } = followChain(this.#position ?? beginning, this.#target.categories, ours);
        if (events.length > 0) await this.#apply(events, events.at(-1)!.position);
        if (missing === undefined || this.#stopping) return;
        await this.#read(missing);
        this.#requireShown(missing);
      }
    } catch (error) {
      this.#leave(messages);
      this.#pause(error);
      this.#wake();
    } finally {
      this.#applying = false;
    }
  }

  /** Those of this log. A queue outlives a log that was thrown away, and may then hold messages of that. */
  async #ours(messages: readonly Message[]): Promise<readonly Message[]> {
    // It had no event when it was last looked at. If they are of it, it has by now.
    this.#log ??= await identityOf(this.#means.store);
    if (messages.every(({ log }) => log === this.#log)) return messages;
    if (!this.#hasMetAnother) {
      this.#hasMetAnother = true;
      this.#report(new Error('Messages of another log were in the queue, and are let go.'));
    }
    return messages.filter(({ log }) => log === this.#log);
  }

  #takes(stream: string): boolean {
    const category = categoryOf(stream);
    return category !== undefined && this.#categories.has(category);
  }

  /** The step: the events it takes, up to the first that is from the future, then the mark behind them. */
  async #apply(events: readonly RecordedEvent[], end: number): Promise<void> {
    const taken: RecordedEvent[] = [];
    let before = this.#position;
    for (const event of events) {
      try {
        if (this.#takes(event.stream)) {
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
    const fault = asError(reason);
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
