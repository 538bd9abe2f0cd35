import { asError } from '@waybill/shared-kernel/as-error.js';
import { backOffDelay } from '@waybill/shared-kernel/back-off.js';
import {
  consumePartition,
  type ConsumerMeans,
  type ConsumerState,
  type ConsumerTuning,
  type PartitionConsumer,
  type PartitionTarget,
} from '@waybill/shared-kernel/consume-partition.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { CollectionSpec, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/quarantine-notice.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { watchedTarget, type WatchBatch } from '@waybill/shared-kernel/watch.js';
import { catchUp } from './catch-up.js';
import { PartitionProjector } from './project.js';

export interface FollowMeans extends Omit<ConsumerMeans, 'store'> {
  readonly store: Pick<EventStore, 'readAll' | 'readStream' | 'head'>;
  readonly readStore: Pick<ReadStore, 'declare' | 'load' | 'commit' | 'position' | 'positions' | 'relayCheckpoint'>;
  readonly clock: Clock;
  /** Told of each document that is quarantined. */
  readonly quarantined?: ReportQuarantine | undefined;
  /** Told of each batch that is applied once it follows. */
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

  /** It takes part in this; `stop` waits for its end. */
  takePart(catchingUp: Promise<void>): void {
    this.#catchingUp = catchingUp;
  }

  follow(means: FollowMeans, tuning: ConsumerTuning): void {
    const { projection, partition, queue } = this;
    const { readStore } = means;
    const projector = new PartitionProjector(projection, partition, means);
    const target: PartitionTarget = {
      consumer: queue,
      partition,
      categories: projection.categories,
      position: () => readStore.position(projection.collection, partition),
      apply: (events, position) => projector.apply(events, position),
    };
    this.#consumer = consumePartition(watchedTarget(target, means.watchBatch), means, tuning);
  }

  /** Finishes what is being written, then stops. */
  async stop(): Promise<void> {
    this.#leaving.abort();
    await this.#catchingUp;
    await this.#consumer?.stop();
  }
}

/**
 * Catches them up with one reading of the log, then lets each follow; tries until that works. When one of them is to
 * stop meanwhile, what was read so far is written and the others go on from there.
 */
export async function followTogether(
  followers: readonly PartitionFollower[],
  means: FollowMeans,
  tuning: ConsumerTuning,
): Promise<void> {
  for (let failures = 0, caughtUp = false; !caughtUp;) {
    const staying = followers.filter((follower) => !follower.leaving.aborted);
    if (staying.length === 0) return;
    const signal = AbortSignal.any(staying.map((follower) => follower.leaving));
    const attempt = catchUpOnce(staying, means, signal);
    for (const follower of staying) follower.takePart(attempt.then(() => {}));
    const fault = await attempt;
    if (fault !== undefined) {
      means.report?.(fault, 'projector');
      await means.timer.sleep(backOffDelay(tuning.backOff, failures, means.randomness), signal);
      failures += 1;
    }
    caughtUp = fault === undefined && !signal.aborted;
  }
  for (const follower of followers) if (!follower.leaving.aborted) follower.follow(means, tuning);
}

/** Answers with what went wrong. */
async function catchUpOnce(
  followers: readonly PartitionFollower[],
  means: FollowMeans,
  signal: AbortSignal,
): Promise<Error | undefined> {
  const projections = [...new Set(followers.map((follower) => follower.projection))];
  const partitions = [...new Set(followers.map((follower) => follower.partition))];
  try {
    await catchUp(projections, means, { signal, partitions });
    return undefined;
  } catch (error) {
    return asError(error);
  }
}
