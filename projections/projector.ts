import { backOffDelay } from '@waybill/shared-kernel/back-off.js';
import {
  consumePartition,
  consumerTuning,
  type ConsumerMeans,
  type ConsumerState,
  type ConsumerTuning,
} from '@waybill/shared-kernel/consume-partition.js';
import { partitionCount } from '@waybill/shared-kernel/partition.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { CollectionSpec, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { catchUp } from './catch-up.js';
import { PartitionProjector } from './project.js';

export interface ProjectorMeans extends Omit<ConsumerMeans, 'checkpoints' | 'report' | 'store'> {
  readonly store: Pick<EventStore, 'readAll' | 'readStream' | 'head'>;
  readonly readStore: Pick<ReadStore, 'declare' | 'load' | 'commit' | 'position' | 'positions' | 'relayCheckpoint'>;
  readonly clock: Clock;
  /** Told of each fault that pauses a partition; without a partition, of one that holds up the start. */
  readonly report?: (fault: Error, queue: string, partition?: number) => void;
}

export interface PartitionState extends ConsumerState {
  readonly projection: string;
  readonly version: number;
  readonly partition: number;
}

export interface Projector {
  /** Resolves when it has caught up for the first time and follows, or was stopped before. */
  readonly following: Promise<void>;
  /** Empty until it follows. */
  states(): readonly PartitionState[];
  /** Finishes what is being written, then stops. */
  stop(): Promise<void>;
}

/** Name of the queues of a collection: one per version, so that two versions can run side by side. */
export function queueOf({ name, version }: CollectionSpec): string {
  return `${name}.v${version}`;
}

/**
 * Keeps read models up to date until it is stopped: first catches up, reading the log once for all of them, then
 * follows the broker, each partition on its own.
 */
export function startProjector(
  projections: readonly Projection[],
  means: ProjectorMeans,
  tuning: ConsumerTuning = consumerTuning,
): Projector {
  const stopping = new AbortController();
  const { signal } = stopping;
  let consumers: readonly RunningConsumer[] = [];

  async function start(): Promise<void> {
    await persist(() => catchUp(projections, means, { signal }), means, tuning, signal);
    if (signal.aborted) return;
    consumers = projections.flatMap((projection) =>
      Array.from({ length: partitionCount }, (_, partition) => consume(projection, partition, means, tuning)),
    );
  }

  const following = start();
  return {
    following,
    states: () => consumers.map((consumer) => consumer.state()),
    stop: async () => {
      stopping.abort();
      await following;
      await Promise.all(consumers.map((consumer) => consumer.stop()));
    },
  };
}

interface RunningConsumer {
  state(): PartitionState;
  stop(): Promise<void>;
}

function consume(
  projection: Projection,
  partition: number,
  means: ProjectorMeans,
  tuning: ConsumerTuning,
): RunningConsumer {
  const { collection, categories } = projection;
  const projector = new PartitionProjector(projection, partition, means);
  const consumer = queueOf(collection);
  const running = consumePartition(
    {
      consumer,
      partition,
      categories,
      position: () => means.readStore.position(collection, partition),
      apply: (events, position) => projector.apply(events, position),
    },
    {
      broker: means.broker,
      store: means.store,
      checkpoints: means.readStore,
      timer: means.timer,
      randomness: means.randomness,
      report: (fault) => means.report?.(fault, consumer, partition),
    },
    tuning,
  );
  return {
    state: (): PartitionState => ({
      projection: collection.name,
      version: collection.version,
      partition,
      ...running.state(),
    }),
    stop: () => running.stop(),
  };
}

/** Tries until it works or is told to stop. */
async function persist(
  task: () => Promise<unknown>,
  means: ProjectorMeans,
  tuning: ConsumerTuning,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      await task();
      return;
    } catch (error) {
      means.report?.(error instanceof Error ? error : new Error(String(error)), 'projector');
      await means.timer.sleep(backOffDelay(tuning.backOff, failures, means.randomness), signal);
    }
  }
}
