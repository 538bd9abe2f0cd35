import type { AssignPartitions } from '@waybill/shared-kernel/assignment.js';
import {
  consumePartition,
  type ConsumerMeans,
  type ConsumerState,
  type ConsumerTuning,
  type PartitionConsumer,
  type PartitionTarget,
} from '@waybill/shared-kernel/consume-partition.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/quarantine-notice.js';
import { askTogether } from '@waybill/shared-kernel/ask-together.js';
import type { Category } from '@waybill/shared-kernel/stream.js';
import { progressOf, type Progress } from '@waybill/shared-kernel/standstill.js';
import { suspendedOrders } from '@waybill/shared-kernel/suspended-orders.js';
import { watchedTarget, type WatchBatch } from '@waybill/shared-kernel/watch.js';
import { orderConcerned } from './fulfilment.js';
import type { FulfilMeans } from './fulfil.js';
import { LatePositions } from './late-positions.js';
import { SuspendingFulfiller } from './suspend.js';

/** Name of the process manager's queues and of its positions. */
export const fulfilmentConsumer = 'fulfilment';

/** Whose events it reacts to; of its own it is the one that has a suspended order go on. */
export const fulfilmentCategories: readonly Category[] = ['order', 'delivery', 'fulfilment'];

export interface FulfilmentMeans extends ConsumerMeans, Pick<FulfilMeans, 'snapshots'> {
  readonly store: EventStore;
  readonly positions: Pick<ReadStore, 'consumerPosition' | 'saveConsumerPosition' | 'declare' | 'load' | 'commit'>;
  /** Told of each order that is suspended. */
  readonly quarantined?: ReportQuarantine;
  /** Told of each batch that is worked on. */
  readonly watchBatch?: WatchBatch;
  readonly clock: Clock;
}

/**
 * One partition of the process manager. Orders are worked on side by side, so that their appends are grouped; the
 * events of one order one after the other. `late` is told of a batch when everything due after each of its events is in
 * the log, and saves the position soon after. An event that cannot be handled suspends its order, see
 * `SuspendingFulfiller`; what may pass pauses the partition, and the same events come again, which does no harm.
 */
export function fulfilmentOf(
  partition: number,
  means: FulfilmentMeans,
  late: Pick<LatePositions, 'done'>,
): PartitionTarget {
  const { positions } = means;
  const fulfiller = new SuspendingFulfiller({ ...means, readStore: positions });
  return {
    consumer: fulfilmentConsumer,
    partition,
    categories: fulfilmentCategories,
    position: async () => {
      await positions.declare(suspendedOrders);
      return positions.consumerPosition(fulfilmentConsumer, partition);
    },
    apply: async (events, position) => {
      const outcomes = await Promise.allSettled(
        [...byOrder(events)].map(async ([orderId, ofOrder]) => {
          for (const event of ofOrder) await fulfiller.handle(orderId, event);
        }),
      );
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      late.done(partition, position);
    },
  };
}

function byOrder(events: readonly RecordedEvent[]): Map<string, RecordedEvent[]> {
  const groups = new Map<string, RecordedEvent[]>();
  for (const event of events) {
    const orderId = orderConcerned(event);
    if (orderId === undefined) continue;
    const group = groups.get(orderId);
    if (group === undefined) groups.set(orderId, [event]);
    else group.push(event);
  }
  return groups;
}

export interface RunningFulfilmentMeans extends FulfilmentMeans {
  readonly assign: AssignPartitions;
}

export interface RunningFulfilment {
  /** Partitions it was given, rising. */
  held(): readonly number[];
  /** Of each of them. */
  states(): readonly ConsumerState[];
  /** How far each of them has come. */
  progress(): readonly Progress[];
  /** Finishes what is being worked on, then stops. */
  stop(): Promise<void>;
}

/**
 * The process manager on the partitions that it is assigned, until it is stopped. One that comes back begins anew,
 * since what is remembered of its streams is from before another worked on them.
 */
export function runFulfilment(means: RunningFulfilmentMeans, tuning?: ConsumerTuning): RunningFulfilment {
  const consumers = new Map<number, PartitionConsumer>();
  const late = new LatePositions(fulfilmentConsumer, means);
  const shared = { ...means, checkpoints: askTogether(means.checkpoints, means.timer) };
  const assignment = means.assign(fulfilmentConsumer, (partition) => {
    const consumer = consumePartition(
      watchedTarget(fulfilmentOf(partition, means, late), means.watchBatch),
      shared,
      tuning,
    );
    consumers.set(partition, consumer);
    return {
      stop: async () => {
        await consumer.stop();
        await late.flush(partition);
        consumers.delete(partition);
      },
    };
  });
  return {
    held: () => assignment.held(),
    states: () => [...consumers.values()].map((consumer) => consumer.state()),
    progress: () =>
      Array.from(consumers, ([partition, consumer]) =>
        progressOf(`${fulfilmentConsumer}/${partition}`, consumer.state()),
      ),
    stop: () => assignment.stop(),
  };
}
