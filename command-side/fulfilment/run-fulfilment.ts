import type { AssignPartitions } from '@waybill/shared-kernel/assignment.js';
import {
  consumePartition,
  type ConsumerMeans,
  type ConsumerState,
  type ConsumerTuning,
  type PartitionConsumer,
  type PartitionTarget,
} from '@waybill/shared-kernel/consume-partition.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Category } from '@waybill/shared-kernel/stream.js';
import { orderConcerned } from './fulfilment.js';
import { Fulfiller, type FulfilMeans } from './fulfil.js';

/** Name of the process manager's queues and of its positions. */
export const fulfilmentConsumer = 'fulfilment';

/** Whose events it reacts to. */
export const fulfilmentCategories: readonly Category[] = ['order', 'delivery'];

export interface FulfilmentMeans extends ConsumerMeans, Pick<FulfilMeans, 'snapshots'> {
  readonly store: EventStore;
  readonly positions: Pick<ReadStore, 'consumerPosition' | 'saveConsumerPosition'>;
  readonly clock: Clock;
}

/**
 * One partition of the process manager. Orders are worked on side by side, so that their appends are grouped; the
 * events of one order one after the other. The position moves behind a batch when everything due after each of its
 * events is in the log. What fails pauses the partition, and the same events come again, which does no harm.
 */
export function fulfilmentOf(partition: number, means: FulfilmentMeans): PartitionTarget {
  const { positions } = means;
  const fulfiller = new Fulfiller(means);
  return {
    consumer: fulfilmentConsumer,
    partition,
    categories: fulfilmentCategories,
    position: () => positions.consumerPosition(fulfilmentConsumer, partition),
    apply: async (events, position) => {
      const outcomes = await Promise.allSettled(
        [...byOrder(events.map((event) => upcast(event)))].map(async ([orderId, ofOrder]) => {
          for (const event of ofOrder) await fulfiller.handle(orderId, event);
        }),
      );
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      await positions.saveConsumerPosition(fulfilmentConsumer, partition, position);
    },
  };
}

function byOrder(events: readonly KnownEvent[]): Map<string, KnownEvent[]> {
  const groups = new Map<string, KnownEvent[]>();
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
  /** Finishes what is being worked on, then stops. */
  stop(): Promise<void>;
}

/**
 * The process manager on the partitions that it is assigned, until it is stopped. One that comes back begins anew,
 * since what is remembered of its streams is from before another worked on them.
 */
export function runFulfilment(means: RunningFulfilmentMeans, tuning?: ConsumerTuning): RunningFulfilment {
  const consumers = new Map<number, PartitionConsumer>();
  const assignment = means.assign(fulfilmentConsumer, (partition) => {
    const consumer = consumePartition(fulfilmentOf(partition, means), means, tuning);
    consumers.set(partition, consumer);
    return {
      stop: async () => {
        await consumer.stop();
        consumers.delete(partition);
      },
    };
  });
  return {
    held: () => assignment.held(),
    states: () => [...consumers.values()].map((consumer) => consumer.state()),
    stop: () => assignment.stop(),
  };
}
