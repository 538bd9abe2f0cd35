import { asError } from '@waybill/shared-kernel/as-error.js';
import { backOffDelay } from '@waybill/shared-kernel/back-off.js';
import { LogMismatch } from '@waybill/shared-kernel/errors.js';
import {
  consumePartition,
  type ConsumerDependencies,
  type ConsumerState,
  type ConsumerTuning,
  type PartitionConsumer,
  type PartitionTarget,
} from '@waybill/shared-kernel/subscriptions/consume-partition.js';
import { beginning, type StreamReader, type LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type {
  CollectionSpec,
  Collections,
  DocumentStore,
  PartitionCheckpoints,
  CollectionCheckpoints,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { progressOf, type Progress } from '@waybill/shared-kernel/subscriptions/stall-detector.js';
import { watchedTarget, type WatchBatch } from '@waybill/shared-kernel/watch.js';
import { catchUp } from './catch-up.js';
import { PartitionProjector } from './project.js';

export interface FollowDependencies extends Omit<ConsumerDependencies, 'store'> {
  readonly store: StreamReader & LogReader;
  readonly readStore: Collections & DocumentStore & PartitionCheckpoints & CollectionCheckpoints;
  /** Told of each document that is quarantined. */
  readonly quarantined?: ReportQuarantine | undefined;
  /** Called with each batch that is applied once it follows. */
  readonly watchBatch?: WatchBatch | undefined;
}

export interface PartitionState extends ConsumerState {
  readonly projection: string;
  readonly version: number;
  readonly partition: number;
}

/** Name of the queues of a collection: one per version, so that two versions can run side by side. */
export function queueOf({ name, version }: Pick<CollectionSpec, 'name' | 'version'>): string {
  return `${name}.v${version}`;
}

/** One partition of one projection: first caught up together with others, then following the broker on its own. */
export class PartitionFollower {
  readonly projection: Projection;
  readonly partition: number;
  readonly queue: string;
  readonly #leaving = new AbortController();
  #catchingUp: Promise<void> | undefined;
  #consumer: PartitionConsumer | undefined;
  /** Why catching up failed last. */
  #fault: Error | undefined;
  /** How far the log was read for it, in whichever attempt. */
  #read: number | undefined;

  constructor(projection: Projection, partition: number) {
    this.projection = projection;
    this.partition = partition;
    this.queue = queueOf(projection.collection);
  }

  /** Aborts when it is to stop. */
  get leaving(): AbortSignal {
    return this.#leaving.signal;
  }

  /** `undefined` until it follows. */
  state(): PartitionState | undefined {
    if (this.#consumer === undefined) return undefined;
    const { name: projection, version } = this.projection.collection;
    return { projection, version, partition: this.partition, ...this.#consumer.state() };
  }

  /** How far it has come; `undefined` while it is caught up and that has not failed. */
  progress(): Progress | undefined {
    const name = `${this.queue}/${this.partition}`;
    if (this.#consumer !== undefined) return progressOf(name, this.#consumer.state());
    if (this.#fault === undefined) return undefined;
    const position = this.#fault instanceof LogMismatch ? beginning : this.#read;
    return { name, position, isUpToDate: false, fault: this.#fault };
  }

  /** The log was read for it up to here, as it is caught up. */
  readUpTo(position: number): void {
    this.#read = Math.max(position, this.#read ?? position);
  }

  catchingUpFailed(fault: Error): void {
    this.#fault = fault;
  }

  /** The catch-up it takes part in; `stop` waits for its end. */
  takePart(catchingUp: Promise<void>): void {
    this.#catchingUp = catchingUp;
  }

  follow(dependencies: FollowDependencies, tuning: ConsumerTuning): void {
    const { projection, partition, queue } = this;
    const { readStore } = dependencies;
    const projector = new PartitionProjector(projection, partition, dependencies);
    const target: PartitionTarget = {
      consumer: queue,
      partition,
      categories: projection.categories,
      position: () => readStore.position(projection.collection, partition),
      apply: (events, position) => projector.apply(events, position),
      doubt: (streams) => projector.doubt(streams),
    };
    this.#consumer = consumePartition(watchedTarget(target, dependencies.watchBatch), dependencies, tuning);
  }

  /** Finishes what is being written, then stops. */
  async stop(): Promise<void> {
    this.#leaving.abort();
    await this.#catchingUp;
    await this.#consumer?.stop();
  }
}

/**
 * Catches several followers up with one reading of the log, then lets each follow; tries until that works. If one of
 * them is stopped meanwhile, what was read so far is written and the others go on from there. A follower whose read
 * model is of another log holds up nobody: this resolves without it, and it tries on by itself.
 */
export async function followTogether(
  followers: readonly PartitionFollower[],
  dependencies: FollowDependencies,
  tuning: ConsumerTuning,
  failedBefore = 0,
): Promise<void> {
  for (let failures = failedBefore; ;) {
    const staying = followers.filter((follower) => !follower.leaving.aborted);
    if (staying.length === 0) return;
    const signal = AbortSignal.any(staying.map((follower) => follower.leaving));
    const attempt = catchUpOnce(staying, dependencies, signal);
    for (const follower of staying) follower.takePart(attempt.then(() => {}));
    const { fault, misfits } = await attempt;
    if (fault === undefined && !signal.aborted) {
      const fitting = staying.filter((follower) => !misfits.has(follower));
      for (const follower of fitting) follower.follow(dependencies, tuning);
      if (misfits.size > 0) void tryOn(misfits, dependencies, tuning, failures);
      return;
    }
    if (fault !== undefined) {
      for (const follower of staying) follower.catchingUpFailed(fault);
      dependencies.report?.(fault, 'projector');
      await dependencies.timer.sleep(backOffDelay(tuning.backOff, failures, dependencies.randomness), signal);
      failures += 1;
    }
  }
}

async function tryOn(
  misfits: ReadonlyMap<PartitionFollower, Error>,
  dependencies: FollowDependencies,
  tuning: ConsumerTuning,
  failures: number,
): Promise<void> {
  for (const [follower, fault] of misfits) follower.catchingUpFailed(fault);
  for (const fault of new Set(misfits.values())) dependencies.report?.(fault, 'projector');
  const followers = [...misfits.keys()];
  const signal = AbortSignal.any(followers.map((follower) => follower.leaving));
  await dependencies.timer.sleep(backOffDelay(tuning.backOff, failures, dependencies.randomness), signal);
  await followTogether(followers, dependencies, tuning, failures + 1);
}

interface Attempt {
  /** What went wrong for all of them. */
  readonly fault?: Error;
  /** Those whose read model is not of this log. */
  readonly misfits: ReadonlyMap<PartitionFollower, Error>;
}

async function catchUpOnce(
  followers: readonly PartitionFollower[],
  dependencies: FollowDependencies,
  signal: AbortSignal,
): Promise<Attempt> {
  const projections = [...new Set(followers.map((follower) => follower.projection))];
  const partitions = [...new Set(followers.map((follower) => follower.partition))];
  const progress = (position: number): void => followers.forEach((follower) => follower.readUpTo(position));
  try {
    const { halted } = await catchUp(projections, dependencies, { progress, signal, partitions });
    const misfits = new Map<PartitionFollower, Error>();
    for (const { projection: name, version, partition, error } of halted) {
      if (!(error instanceof LogMismatch)) continue;
      const queue = queueOf({ name, version });
      const follower = followers.find((each) => each.queue === queue && each.partition === partition);
      if (follower !== undefined) misfits.set(follower, error);
    }
    return { misfits };
  } catch (error) {
    return { fault: asError(error), misfits: new Map() };
  }
}
