import type { AssignPartitions } from '@waybill/shared-kernel/assignment.js';
import {
  consumePartition,
  consumerTuning,
  type ConsumerMeans,
  type ConsumerState,
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
import { Agenda } from '@waybill/shared-kernel/agenda.js';
import { watchedTarget, type WatchBatch } from '@waybill/shared-kernel/watch.js';
import { AggregateStreams } from '../aggregate-streams.js';
import { product } from '../catalogue/product.js';
import { StockKeeper } from '../catalogue/stock-keeper.js';
import type { FulfilMeans } from './fulfil.js';
import { orderConcerned } from './fulfilment.js';
import { keepDeadlines } from './keep-deadlines.js';
import { LatePositions } from './late-positions.js';
import { withLogFaults } from './passing-fault.js';
import { SuspendingFulfiller } from './suspend.js';

/** Name of the process manager's queues and of its positions. */
export const fulfilmentConsumer = 'fulfilment';

/** Whose events it reacts to; of its own those by which somebody has it go on, do it again or undo it. */
export const fulfilmentCategories: readonly Category[] = ['order', 'payment', 'delivery', 'fulfilment'];

export interface FulfilmentMeans extends ConsumerMeans, Pick<FulfilMeans, 'snapshots' | 'askPayment'> {
  readonly store: EventStore;
  readonly positions: Pick<
    ReadStore,
    'consumerPosition' | 'saveConsumerPosition' | 'declare' | 'load' | 'commit' | 'list'
  >;
  /** Told of each order that is suspended. */
  readonly quarantined?: ReportQuarantine;
  /** Told of each batch that is worked on. */
  readonly watchBatch?: WatchBatch;
  readonly clock: Clock;
}

/** What all partitions of a process share. */
export interface SharedByPartitions {
  readonly late: Pick<LatePositions, 'done'>;
  readonly stock: FulfilMeans['stock'];
  readonly agenda: Agenda;
}

export function sharedByPartitions(means: FulfilmentMeans): SharedByPartitions & { readonly late: LatePositions } {
  const { store, snapshots, positions: readStore } = means;
  const products = new AggregateStreams(withLogFaults(store), 'product', product, { snapshots });
  const agenda = new Agenda({ ...means, readStore });
  // A read store that is down holds up nobody: what is due is found once it is back.
  const late = new LatePositions(fulfilmentConsumer, { ...means, prepare: (partition) => agenda.flush(partition) });
  return { late, stock: new StockKeeper(products, means), agenda };
}

/** One partition of the process manager. */
export interface FulfilmentTarget extends PartitionTarget {
  /** Does what is due because a deadline has passed, for some of those of which one has. */
  lookAtDeadlines(): Promise<void>;
}

/** Orders whose deadline has passed that are looked at together. */
const lookedAtOnce = 100;

/**
 * One partition of the process manager. Orders are worked on side by side, so that their appends are grouped; the
 * events of one order one after the other. `late` is told of a batch when everything due after each of its events is in
 * the log, or asked for, and saves the position soon after. An event that cannot be handled suspends its order, see
 * `SuspendingFulfiller`; what may pass pauses the partition, and the same events come again, which does no harm.
 */
export function fulfilmentOf(
  partition: number,
  means: FulfilmentMeans,
  { late, stock, agenda }: SharedByPartitions,
): FulfilmentTarget {
  const { positions, clock } = means;
  const fulfiller = new SuspendingFulfiller({ ...means, readStore: positions, stock, agenda });
  return {
    consumer: fulfilmentConsumer,
    partition,
    categories: fulfilmentCategories,
    position: async () => {
      await positions.declare(suspendedOrders);
      fulfiller.beginAt(await means.store.head());
      return positions.consumerPosition(fulfilmentConsumer, partition);
    },
    apply: async (events, position) => {
      await allOf(
        [...byOrder(events)].map(async ([orderId, ofOrder]) => {
          for (const event of ofOrder) await fulfiller.handle(orderId, event);
        }),
      );
      late.done(partition, position);
    },
    lookAtDeadlines: async () => {
      await agenda.flush(partition);
      const orderIds = await agenda.due(partition, clock.now(), lookedAtOnce);
      try {
        await allOf(orderIds.map((orderId) => fulfiller.look(orderId)));
      } finally {
        await agenda.flush(partition);
      }
    },
  };
}

/** Waits for all, then rejects with the first fault, if there is one. */
async function allOf(works: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) if (outcome.status === 'rejected') throw outcome.reason;
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

/** Events of a partition that are worked on at once: each may be several appends, and whoever stops it waits for them. */
const largestBatch = 100;

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
export function runFulfilment(means: RunningFulfilmentMeans): RunningFulfilment {
  const consumers = new Map<number, PartitionConsumer>();
  const together = sharedByPartitions(means);
  const { late, agenda } = together;
  const shared = { ...means, checkpoints: askTogether(means.checkpoints, means.timer) };
  const assignment = means.assign(fulfilmentConsumer, (partition) => {
    const target = fulfilmentOf(partition, means, together);
    const consumer = consumePartition(watchedTarget(target, means.watchBatch), shared, {
      ...consumerTuning,
      batch: largestBatch,
    });
    consumers.set(partition, consumer);
    const deadlines = keepDeadlines(
      `${fulfilmentConsumer}/deadlines`,
      () => target.lookAtDeadlines(),
      () => consumer.state().mode === 'following',
      means,
    );
    return {
      stop: async () => {
        await Promise.all([consumer.stop(), deadlines.stop()]);
        await late.flush(partition);
        agenda.forget(partition);
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
