import type { AssignPartitions } from '@waybill/shared-kernel/partitions/assignment.js';
import {
  consumePartition,
  consumerTuning,
  type ConsumerDependencies,
  type ConsumerState,
  type PartitionConsumer,
  type PartitionTarget,
} from '@waybill/shared-kernel/subscriptions/consume-partition.js';
import { lastEvent } from '@waybill/shared-kernel/read-stream.js';
import { renewIdentity } from '@waybill/shared-kernel/subscriptions/log-identity.js';
import {
  judgePosition,
  logBeginning,
  misfits,
  sharedPart,
  type LogPosition,
} from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type {
  Appender,
  StreamReader,
  LogReader,
  BackwardsLogReader,
} from '@waybill/shared-kernel/ports/event-store.js';
import type {
  CollectionCheckpoints,
  AuditableDocuments,
  ConsumerCheckpoints,
  LogIdentityStore,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { progressOf, type Progress } from '@waybill/shared-kernel/subscriptions/stall-detector.js';
import { suspendedOrders } from './suspension/suspended-orders.js';
import { WorklistWriter, type WorklistStore } from './worklist/worklist-writer.js';
import { watchedTarget, type WatchBatch } from '@waybill/shared-kernel/watch.js';
import { AggregateStreams } from '../handling/aggregate-streams.js';
import { product } from '../catalogue/product.js';
import { StockKeeper } from '../catalogue/stock-keeper.js';
import type { LiveLook } from '../handling/live-look.js';
import type { BelievedTime } from './deadlines/believed-time.js';
import { WorklistCompletion } from './worklist/complete-worklist.js';
import type { ProcessManagerDependencies } from './process-manager.js';
import { orderConcerned } from './fulfilment.js';
import { keepDeadlines } from './deadlines/keep-deadlines.js';
import { LazyCheckpoints } from './lazy-checkpoints.js';
import { withLogFaults } from './passing-fault.js';
import { longestRetryMs } from './deadlines/time-limits.js';
import { SuspendingProcessManager } from './suspension/suspend.js';
import { epochMs } from '@waybill/shared-kernel/ports/clock.js';

/** Name of the process manager's queues and of its positions. */
export const fulfilmentConsumer = 'fulfilment';

/**
 * The categories whose events it reacts to; of its own, those by which an operator resumes, retries or undoes an order.
 */
export const fulfilmentCategories: readonly Category[] = ['order', 'payment', 'delivery', 'fulfilment'];

export interface FulfilmentDependencies
  extends
    Omit<ConsumerDependencies, 'broker' | 'headWatch' | 'identity' | 'clock'>,
    Pick<ProcessManagerDependencies, 'snapshots' | 'askPayment'> {
  readonly store: Appender & StreamReader & LogReader & BackwardsLogReader;
  readonly positions: WorklistStore &
    CollectionCheckpoints &
    AuditableDocuments &
    ConsumerCheckpoints &
    LogIdentityStore;
  /** Told of each order that is suspended. */
  readonly quarantined?: ReportQuarantine;
  /** Called with each batch that is worked on. */
  readonly watchBatch?: WatchBatch;
  /** By which it waits and judges. */
  readonly believedTime: BelievedTime;
  /** Without it, products are read for each order. */
  readonly look?: LiveLook | undefined;
  /** Payments are asked for within this process: what was asked before it began nobody works on, and is asked again at once. */
  readonly carriesPayments?: boolean;
}

/** What the partitions of a process share. */
export interface SharedByPartitions {
  readonly late: Pick<LazyCheckpoints, 'done' | 'forget'>;
  readonly stock: ProcessManagerDependencies['stock'];
  readonly worklist: WorklistWriter;
  readonly completion: WorklistCompletion;
  /** The log is another than the one that was followed, or an older state of it: what is known of that is forgotten. */
  readonly renew: () => void;
}

export function sharedByPartitions(
  dependencies: FulfilmentDependencies,
): SharedByPartitions & { readonly late: LazyCheckpoints } {
  const { store, snapshots, positions: readStore, believedTime: clock, look } = dependencies;
  const beginProducts = () => new AggregateStreams(withLogFaults(store), 'product', product, { snapshots, look });
  let products = beginProducts();
  let keeper = new StockKeeper(products, dependencies);
  const stock: ProcessManagerDependencies['stock'] = {
    reserve: (...asked) => keeper.reserve(...asked),
    release: (...asked) => keeper.release(...asked),
  };
  const worklist = new WorklistWriter({ readStore, clock });
  const completion = new WorklistCompletion({
    store,
    readStore,
    clock,
    writer: worklist,
    consumer: fulfilmentConsumer,
  });
  // A read store that is down holds up no order: what is due is found once it is back.
  const late = new LazyCheckpoints(fulfilmentConsumer, {
    ...dependencies,
    prepare: (partition, position) =>
      worklist.flush(partition, completion.isComplete(partition) ? position : logBeginning),
  });
  const renew = (): void => {
    products.leave();
    products = beginProducts();
    keeper = new StockKeeper(products, dependencies);
    completion.renew();
  };
  return { late, stock, worklist, completion, renew };
}

/** One partition of the process manager. */
export interface FulfilmentTarget extends PartitionTarget {
  /**
   * Handles some of the orders whose deadline has passed. `handledUntilMs`, milliseconds since 1970: every event
   * recorded before it is applied; deadlines after it are not looked at yet.
   */
  lookAtDeadlines(handledUntilMs: number): Promise<void>;
}

/** Orders whose deadline has passed that are looked at together. */
const lookedAtOnce = 100;

/**
 * One partition of the process manager. Several orders are handled at once, so that their appends are grouped; the
 * events of one order are handled in order. When everything due after a batch is in the log, or requested, `late` takes
 * its position and saves it soon after. An event that cannot be handled suspends its order
 * (`SuspendingProcessManager`). A passing fault pauses the partition; the same events then come again, which is a
 * no-op.
 */
export function fulfilmentOf(
  partition: number,
  dependencies: FulfilmentDependencies,
  { late, stock, worklist, completion, renew }: SharedByPartitions,
): FulfilmentTarget {
  const { positions, believedTime } = dependencies;
  const begin = () =>
    new SuspendingProcessManager({ ...dependencies, clock: believedTime, readStore: positions, stock, worklist });
  let manager = begin();
  let handled = logBeginning;
  let mustAskAgain = dependencies.carriesPayments === true;

  /** What was due before now is asked for again as anything that is due. */
  async function askAgain(): Promise<void> {
    const now = epochMs(believedTime);
    const within = { after: now, upTo: now + longestRetryMs, pageSize: lookedAtOnce };
    for await (const orderIds of worklist.waitingFor('payment', partition, within)) {
      await allOf(orderIds.map((orderId) => manager.askAgain(orderId)));
    }
    mustAskAgain = false;
  }

  return {
    consumer: fulfilmentConsumer,
    partition,
    categories: fulfilmentCategories,
    position: async () => {
      await positions.declare(suspendedOrders);
      // Saved later, it would be further on than where the partition begins now.
      await late.forget(partition);
      // What was noted behind it is noted again, and perhaps is not of this log.
      worklist.forget(partition);
      const position = await fittingPosition(partition, handled, dependencies, renew);
      completion.forget(partition);
      // Its memory is older, and perhaps of another log.
      manager = begin();
      manager.beginAt(await dependencies.store.head());
      const last = await lastEvent(dependencies.store);
      if (last !== undefined) believedTime.seeLast(last.recordedAt);
      handled = position;
      return position;
    },
    apply: async (events, position) => {
      await allOf(
        [...byOrder(events)].map(async ([orderId, ofOrder]) => {
          for (const event of ofOrder) await manager.handle(orderId, event);
        }),
      );
      await allOf(
        ofOwn(events).map(async ({ partitionKey, revision }) => {
          if (worklist.knownUpTo(partitionKey) < revision) await manager.keepListed(partitionKey);
        }),
      );
      handled = position;
      late.done(partition, position);
    },
    doubt: (streams) => manager.doubt(streams),
    lookAtDeadlines: async (handledUntilMs) => {
      await completion.complete(partition);
      await worklist.flush(partition);
      const upToMs = Math.min(epochMs(believedTime), handledUntilMs - 1);
      const judging = { upToMs, position: handled.through };
      const orderIds = await worklist.due(partition, upToMs, lookedAtOnce);
      const asking = mustAskAgain ? [askAgain()] : [];
      try {
        await allOf([...asking, ...orderIds.map((orderId) => manager.look(orderId, judging))]);
      } finally {
        await worklist.flush(partition);
      }
    },
  };
}

/**
 * The position from which a partition goes on in this log. If its stored position belongs to another log, or to a later
 * state of this one, it goes on from where both logs are the same; what was done already is not done twice. `handled`:
 * how far it had come in this process, which may be further than what is stored.
 */
async function fittingPosition(
  partition: number,
  handled: LogPosition,
  {
    store,
    positions,
    randomness,
    report,
  }: Pick<FulfilmentDependencies, 'store' | 'positions' | 'randomness' | 'report'>,
  renew: () => void,
): Promise<LogPosition> {
  const noted = await positions.consumerPosition(fulfilmentConsumer, partition);
  const judgement = await judgePosition(store, noted);
  const { fit, why } = judgement;
  if (fit === 'fits') {
    if ((await misfits(store, [handled])).length === 0) return noted;
    await renewIdentity({ store, readStore: positions }, randomness);
    renew();
    return noted;
  }
  const position = sharedPart(noted, judgement);
  const name = `${fulfilmentConsumer}/${partition}`;
  report?.(new Error(`Its position is not of this log (${why ?? fit}). It goes on from ${position.through}.`), name);
  // Before it takes messages from its queue, which may be of the other log.
  await renewIdentity({ store, readStore: positions }, randomness);
  await positions.resetConsumerPosition(fulfilmentConsumer, partition, noted, position);
  renew();
  return position;
}

/** Waits for all, then rejects with the first fault, if there is one. */
async function allOf(works: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) if (outcome.status === 'rejected') throw outcome.reason;
}

/** The last of its own events of each order: of what others wrote of an order, or what nobody heard of. */
function ofOwn(events: readonly RecordedEvent[]): readonly RecordedEvent[] {
  const last = new Map<string, RecordedEvent>();
  for (const event of events) {
    if (categoryOf(event.stream) === 'fulfilment') last.set(event.partitionKey, event);
  }
  return [...last.values()];
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

/** Milliseconds by which a partition may be behind the log while what comes next counts as read when it is recorded. */
const liveWithinMs = 5_000;

/** The same target, which tells the time by the events that come while the partition is level with the log. */
function seeingLive(
  target: PartitionTarget,
  believedTime: BelievedTime,
  handledUntilMs: () => number | undefined,
): PartitionTarget {
  return {
    ...target,
    apply: async (events, position) => {
      const last = events.at(-1);
      const isLevel = epochMs(believedTime) - (handledUntilMs() ?? -Infinity) <= liveWithinMs;
      if (last !== undefined && isLevel) believedTime.seeLive(last.recordedAt);
      await target.apply(events, position);
    },
  };
}

export interface RunningFulfilmentDependencies
  extends FulfilmentDependencies, Pick<ConsumerDependencies, 'broker' | 'headWatch' | 'identity'> {
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
export function runFulfilment(dependencies: RunningFulfilmentDependencies): RunningFulfilment {
  const consumers = new Map<number, PartitionConsumer>();
  const together = sharedByPartitions(dependencies);
  const { late } = together;
  const { believedTime } = dependencies;
  const assignment = dependencies.assign(fulfilmentConsumer, (partition) => {
    const target = fulfilmentOf(partition, dependencies, together);
    const handledUntilMs = (): number | undefined => consumers.get(partition)?.state().handledUntilMs;
    const consumer = consumePartition(
      watchedTarget(seeingLive(target, believedTime, handledUntilMs), dependencies.watchBatch),
      { ...dependencies, clock: believedTime },
      { ...consumerTuning, batch: largestBatch },
    );
    consumers.set(partition, consumer);
    const deadlines = keepDeadlines(
      `${fulfilmentConsumer}/deadlines`,
      (until) => target.lookAtDeadlines(until),
      handledUntilMs,
      dependencies,
    );
    return {
      progress: () => [progressIn(partition, consumer)],
      stop: async () => {
        await Promise.all([consumer.stop(), deadlines.stop()]);
        await late.flush(partition);
        consumers.delete(partition);
      },
    };
  });
  return {
    held: () => assignment.held(),
    states: () => [...consumers.values()].map((consumer) => consumer.state()),
    progress: () => Array.from(consumers, ([partition, consumer]) => progressIn(partition, consumer)),
    stop: () => assignment.stop(),
  };
}

function progressIn(partition: number, consumer: PartitionConsumer): Progress {
  return progressOf(`${fulfilmentConsumer}/${partition}`, consumer.state());
}
