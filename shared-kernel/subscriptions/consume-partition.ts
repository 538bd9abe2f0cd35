import { asError } from '../as-error.js';
import { backOffDelay, type BackOff } from '../back-off.js';
import { LogMismatch, Unavailable } from '../errors.js';
import { DeliveryOwners } from '../partitions/delivery-owners.js';
import { followBatches } from './event-batches.js';
import { refuseFuture } from '../events/upcast.js';
import type { LogIdentity } from './log-identity.js';
import { requireFit, Trail, type LogPosition } from './log-position.js';
import type { RecordedEvent } from '../message.js';
import { partitionOf } from '../partitions/partition.js';
import type { Consumer, EventBatch, BatchQueues } from '../ports/broker.js';
import { epochMs, type Randomness, type Timer, type WallClock } from '../ports/clock.js';
import { beginning, type LogPage, type StreamReader, type LogReader } from '../ports/event-store.js';
import { readLog } from '../read-stream.js';
import type { Addressed } from '../projection.js';
import { streamsInDoubt, type StreamInDoubt } from '../stream-faults.js';
import { categoryNameOf, type Category } from '../stream.js';
import type { HeadFollower, HeadWatch } from './watch-head.js';

/** What handles the events of one partition. */
export interface PartitionTarget {
  /** Name of its queue, such as `orders.v2` or `fulfilment`. */
  readonly consumer: string;
  readonly partition: number;
  /** Categories whose events it is given. */
  readonly categories: readonly Category[];
  /** Everything of its categories in the partition up to here is applied. */
  position(): Promise<LogPosition>;
  /**
   * Applies the next events and records `position`, with them or later, never before them. Nothing of them is in flight
   * when it resolves. Without events only the position is recorded. If it throws, the partition pauses and the same
   * events come again: applying them again must be a no-op. No event is of a newer version than this program knows. The
   * target upcasts them itself, and decides what to do if that fails.
   */
  apply(events: readonly RecordedEvent[], position: LogPosition): Promise<void>;
  /**
   * Marks these streams, not every event of which can be read, for their keys alone; a repeat is a no-op. It is called
   * before the position moves past the mark.
   */
  doubt(streams: readonly StreamInDoubt[]): Promise<void>;
}

export interface ConsumerDependencies {
  readonly broker: BatchQueues;
  readonly store: StreamReader & LogReader;
  /** By which messages of another log are told. */
  readonly identity: LogIdentity;
  /** The one of this process. */
  readonly headWatch: HeadWatch;
  /** The one of this process; by default a new one. */
  readonly deliveryOwners?: DeliveryOwners;
  /** The clock of `handledUntilMs`. */
  readonly clock: WallClock;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /**
   * Called with each fault that pauses a partition or parts it from its queue, and with messages of another log; `of`:
   * `<consumer>/<partition>`.
   */
  readonly report?: (fault: Error, of: string) => void;
}

export interface ConsumerTuning {
  /** Most events that are applied at once. */
  readonly batch: number;
  /** Most messages that are taken from the queue at once. */
  readonly prefetch: number;
  readonly backOff: BackOff;
}

export const consumerTuning: ConsumerTuning = { batch: 1000, prefetch: 50, backOff: { first: 50, most: 10_000 } };

/**
 * `catching-up`: reads the log. `following`: takes messages as they come. `paused`: something failed, or an event is
 * newer than this program (`EventFromTheFuture`); it tries again, in place and in order, and never skips.
 */
export interface ConsumerState {
  readonly mode: 'catching-up' | 'following' | 'paused' | 'stopped';
  /** Everything of its categories up to here is applied; `undefined` until it is known. */
  readonly position: number | undefined;
  /**
   * Everything of its categories that was recorded before this time is applied, milliseconds since 1970: when the last
   * event that was passed was recorded, or when the log's head was asked for that was then reached. `undefined` until
   * one of them is known.
   */
  readonly handledUntilMs: number | undefined;
  /** Why it is paused. */
  readonly fault?: Error;
}

export interface PartitionConsumer {
  state(): ConsumerState;
  /** Finishes what is being applied, then stops. */
  stop(): Promise<void>;
}

/**
 * Consumes one partition until it is stopped: strictly in order, each event at least once. Only the log says whether
 * the consumer is up to date; the broker wakes and carries. The consumer asks for the log's head, reads up to it, then
 * follows messages. It reads a gap between messages from the log. The process's `HeadWatch` notices events that no
 * message brought; without a broker that alone moves it on. Messages that come while it reads the log, or is paused,
 * are dropped.
 */
export function consumePartition(
  target: PartitionTarget,
  dependencies: ConsumerDependencies,
  tuning: ConsumerTuning = consumerTuning,
): PartitionConsumer {
  const consumption = new PartitionSubscription(target, dependencies, tuning);
  const finished = consumption.run();
  return {
    state: () => consumption.state(),
    stop: () => {
      consumption.requestStop();
      return finished;
    },
  };
}

/** Pages of the log after which the position is saved, though nothing was applied. */
const pagesPerSave = 20;

class PartitionSubscription implements HeadFollower {
  readonly partition: number;
  readonly categories: ReadonlySet<string>;
  readonly #target: PartitionTarget;
  readonly #dependencies: ConsumerDependencies;
  readonly #deliveryOwners: DeliveryOwners;
  readonly #tuning: ConsumerTuning;

  // While following, messages are applied as they come, in turn; else the loop reads the log. So one thing is applied at a time.
  #mode: ConsumerState['mode'] = 'catching-up';
  /** Its position; `undefined` until it is known. */
  #trail: Trail | undefined;
  /** The position that the target was last given. */
  #saved: number | undefined;
  /** When the last event that was passed was recorded. */
  #recordedUntilMs: number | undefined;
  /** When the head was asked for that was reached last. */
  #levelSinceMs: number | undefined;
  #fault: Error | undefined;
  #failures = 0;
  /** Identity of the log; `undefined` until it is known to hold an event. */
  #log: string | undefined;
  #hasMetAnother = false;
  #isWorking = false;
  /** Settles, never rejects, when what was begun while following is done. */
  #work: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #consumer: Consumer | undefined;
  #wake = (): void => undefined;

  constructor(target: PartitionTarget, dependencies: ConsumerDependencies, tuning: ConsumerTuning) {
    this.partition = target.partition;
    this.categories = new Set(target.categories);
    this.#target = target;
    this.#dependencies = dependencies;
    this.#deliveryOwners = dependencies.deliveryOwners ?? new DeliveryOwners(dependencies.store);
    this.#tuning = tuning;
  }

  state(): ConsumerState {
    const times = [this.#recordedUntilMs, this.#levelSinceMs].filter((time) => time !== undefined);
    return {
      mode: this.#mode,
      position: this.#trail?.through,
      handledUntilMs: times.length === 0 ? undefined : Math.max(...times),
      ...(this.#fault === undefined ? {} : { fault: this.#fault }),
    };
  }

  requestStop(): void {
    this.#stopping.abort();
    this.#wake();
  }

  /** The loop: whatever state it finds itself in, it goes on from there. */
  async run(): Promise<void> {
    const attached = this.#stayAttached();
    const leaveWatch = this.#dependencies.headWatch.add(this);
    while (!this.#isToStop()) {
      try {
        await this.#catchUp();
        await this.#whileFollowing();
        if (this.#mode === 'paused' && this.#fault !== undefined) throw this.#fault;
      } catch (error) {
        this.#pause(error);
        await this.#sleep(this.#failures++);
      }
    }
    leaveWatch();
    await attached;
    await this.#work;
    await this.#savePosition().catch((error: unknown) => this.#report(asError(error)));
    this.#mode = 'stopped';
  }

  /** Takes a queue whenever the broker is available. */
  async #stayAttached(): Promise<void> {
    const { broker } = this.#dependencies;
    const queue = { consumer: this.#target.consumer, partition: this.partition };
    for (let failures = 0; !this.#isToStop(); failures += 1) {
      try {
        await broker.declare(queue, this.#target.categories);
        const consumer = await broker.consume(queue, this.#tuning.prefetch, (batches) => this.#take(batches));
        const close = (): void => void consumer.close();
        this.#stopping.signal.addEventListener('abort', close);
        if (this.#isToStop()) close();
        this.#consumer = consumer;
        failures = 0;
        await consumer.stopped;
        if (!this.#isToStop()) throw new Unavailable('broker', `The queue of ${this.#name} was removed.`);
      } catch (error) {
        if (!this.#isToStop()) this.#report(asError(error));
      }
      this.#consumer = undefined;
      await this.#sleep(failures);
    }
  }

  /** Applies what the log has up to the head that it has as this begins, then follows. */
  async #catchUp(): Promise<void> {
    await this.#work;
    if (this.#trail === undefined) {
      this.#trail = Trail.from(await this.#target.position());
      this.#saved = this.#trail.through;
    }
    await requireFit(this.#dependencies.store, this.#trail.position(), this.#name);
    const askedMs = this.now();
    await this.#readUpTo(await this.#dependencies.store.head());
    await this.#savePosition();
    if (this.#isToStop()) return;
    this.#levelSinceMs = askedMs;
    this.#mode = 'following';
    this.#fault = undefined;
    this.#failures = 0;
  }

  async #whileFollowing(): Promise<void> {
    while (this.#isFollowing()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Applies what the log has after the own position, up to another. */
  async #readUpTo(position: number): Promise<void> {
    const from = this.#trail?.through ?? beginning;
    let pages = 0;
    for await (const { events, marks, through } of readLog(
      this.#dependencies.store,
      from,
      position,
      this.#tuning.batch,
    )) {
      const isOwn = ({ partitionKey, stream }: Addressed): boolean =>
        partitionOf(partitionKey) === this.partition && this.categories.has(categoryNameOf(stream));
      const ofCategories = marks.filter(({ stream }) => this.categories.has(categoryNameOf(stream)));
      if (ofCategories.length > 0) {
        const doubted = (await streamsInDoubt(this.#dependencies.store, ofCategories, this.#deliveryOwners)).filter(
          isOwn,
        );
        if (doubted.length > 0) await this.#target.doubt(doubted);
      }
      await this.#apply(events.filter(isOwn), events, through);
      // What was looked through in vain need not be looked through again after a restart.
      pages += 1;
      if (pages % pagesPerSave === 0) await this.#savePosition();
      if (this.#isToStop()) return;
    }
    if (this.#trail!.through < position) {
      throw new Unavailable('event store', `The log does not show position ${position} yet.`);
    }
  }

  /** All messages leave the queue: what could not be applied is in the log. */
  async #take(batches: readonly EventBatch[]): Promise<void> {
    this.#whenFree(() => this.#follow(batches));
    await this.#work;
  }

  /** Runs a piece of work if the consumer still follows when its turn has come. */
  #whenFree(work: () => Promise<void>): void {
    // In turn, because a consumer that was lost may still be working when the next one begins.
    this.#work = this.#work.then(async () => {
      if (!this.#isFollowing()) return;
      this.#isWorking = true;
      try {
        await work();
      } catch (error) {
        this.#pause(error);
        this.#wake();
      }
      this.#isWorking = false;
    });
  }

  async #follow(batches: readonly EventBatch[]): Promise<void> {
    const ours = await this.#ours(batches);
    while (this.#isFollowing()) {
      const { events, through, passed, missing } = followBatches(this.#trail!.through, this.categories, ours);
      await this.#apply(events, passed, through);
      if (missing === undefined) return;
      await this.#readUpTo(missing);
    }
  }

  /** Those of this log. A queue outlives a log that was thrown away, and may then hold messages of that. */
  async #ours(batches: readonly EventBatch[]): Promise<readonly EventBatch[]> {
    if (batches.every(({ log }) => log === this.#log)) return batches;
    // It may have had no event when it was asked for, or have got another identity since.
    const known = this.#log;
    this.#log = await this.#dependencies.identity();
    if (known !== undefined && this.#log !== known) {
      // Somebody found the log to be another. Whether the own position is of it is to be asked before it moves.
      this.readLog();
      return [];
    }
    // Where it does not show one yet, what is its own comes by the watch.
    if (this.#log === undefined) return [];
    if (batches.every(({ log }) => log === this.#log)) return batches;
    if (!this.#hasMetAnother) {
      this.#hasMetAnother = true;
      this.#report(new Error('Messages of another log were in the queue, and are let go.'));
    }
    return batches.filter(({ log }) => log === this.#log);
  }

  /**
   * The step: applies own events, up to the first that is from the future, and moves the position behind them. Without
   * any the position moves in memory alone. `passed`: all events up to `through` that were met.
   */
  async #apply(events: readonly RecordedEvent[], passed: readonly RecordedEvent[], through: number): Promise<void> {
    const { taken, fault } = beforeFuture(events);
    const { batch } = this.#tuning;
    for (let from = 0; from < taken.length; from += batch) {
      if (from > 0 && this.#isToStop()) return;
      const some = taken.slice(from, from + batch);
      const isAll = from + batch >= taken.length && fault === undefined;
      const next = this.#trail!.pass(passed, isAll ? through : some.at(-1)!.position);
      await this.#target.apply(some, next.position());
      this.#saved = next.through;
      this.#trail = next;
      this.#noteRecorded(some);
    }
    if (fault !== undefined) throw fault;
    this.#trail = this.#trail!.pass(passed, through);
    this.#noteRecorded(passed);
  }

  #noteRecorded(events: readonly RecordedEvent[]): void {
    const last = events.at(-1);
    if (last !== undefined) this.#recordedUntilMs = Date.parse(last.recordedAt);
  }

  async #savePosition(): Promise<void> {
    if (this.#trail === undefined || this.#trail.through === this.#saved) return;
    const { through } = this.#trail;
    await this.#target.apply([], this.#trail.position());
    this.#saved = through;
  }

  now(): number {
    return epochMs(this.#dependencies.clock);
  }

  standing(): number | undefined {
    return this.#isFollowing() && !this.#isWorking ? this.#trail?.through : undefined;
  }

  position(): LogPosition | undefined {
    return this.#trail?.position();
  }

  isFed(): boolean {
    return this.#consumer !== undefined;
  }

  passOver({ events, through }: LogPage): void {
    this.#trail = this.#trail?.pass(events, through);
    this.#noteRecorded(events);
  }

  isLevelSince(askedAtMs: number): void {
    this.#levelSinceMs = askedAtMs;
  }

  readLog(): void {
    this.#mode = 'catching-up';
    this.#wake();
  }

  save(): void {
    if (this.#trail?.through !== this.#saved) this.#whenFree(() => this.#savePosition());
  }

  #isToStop(): boolean {
    return this.#stopping.signal.aborted;
  }

  #isFollowing(): boolean {
    return this.#mode === 'following' && !this.#isToStop();
  }

  #pause(reason: unknown): void {
    const fault = asError(reason);
    this.#mode = 'paused';
    const isKnown = fault === this.#fault || (fault instanceof LogMismatch && fault.message === this.#fault?.message);
    if (!isKnown) this.#report(fault);
    this.#fault = fault;
    if (!(fault instanceof LogMismatch)) return;
    // Perhaps the target knows by now from where to go on in this log, which has another identity then.
    this.#trail = undefined;
    this.#log = undefined;
  }

  get #name(): string {
    return `${this.#target.consumer}/${this.partition}`;
  }

  #report(fault: Error): void {
    this.#dependencies.report?.(fault, this.#name);
  }

  #sleep(failures: number): Promise<void> {
    const { timer, randomness } = this.#dependencies;
    return timer.sleep(backOffDelay(this.#tuning.backOff, failures, randomness), this.#stopping.signal);
  }
}

/** The events up to the first that is newer than this program, and what that one is refused with. */
function beforeFuture(events: readonly RecordedEvent[]): { taken: readonly RecordedEvent[]; fault?: Error } {
  for (const [index, event] of events.entries()) {
    try {
      refuseFuture(event);
    } catch (error) {
      return { taken: events.slice(0, index), fault: asError(error) };
    }
  }
  return { taken: events };
}
