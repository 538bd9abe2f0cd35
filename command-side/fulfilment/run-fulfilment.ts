import {
  consumePartition,
  type ConsumerMeans,
  type ConsumerTuning,
  type PartitionConsumer,
  type PartitionTarget,
} from '@waybill/shared-kernel/consume-partition.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { partitionCount } from '@waybill/shared-kernel/partition.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { orderConcerned } from './fulfilment.js';
import { Fulfiller } from './fulfil.js';

/** Name of the process manager's queues and of its positions. */
export const fulfilmentConsumer = 'fulfilment';

export interface FulfilmentMeans extends ConsumerMeans {
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
    categories: ['order', 'delivery'],
    position: () => positions.consumerPosition(fulfilmentConsumer, partition),
    apply: async (events, position) => {
      const outcomes = await Promise.allSettled(
        [...byOrder(events)].map(async ([orderId, ofOrder]) => {
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

export interface RunningFulfilment {
  /** One per partition. */
  readonly consumers: readonly PartitionConsumer[];
  /** Finishes what is being worked on, then stops. */
  stop(): Promise<void>;
}

/** The process manager on all partitions, until it is stopped. */
export function runFulfilment(means: FulfilmentMeans, tuning?: ConsumerTuning): RunningFulfilment {
  const consumers = Array.from({ length: partitionCount }, (_, partition) =>
    consumePartition(fulfilmentOf(partition, means), means, tuning),
  );
  return {
    consumers,
    stop: async () => {
      await Promise.all(consumers.map((consumer) => consumer.stop()));
    },
  };
}
