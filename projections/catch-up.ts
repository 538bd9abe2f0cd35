import { asError } from '@waybill/shared-kernel/as-error.js';
import { doneUpTo } from '@waybill/shared-kernel/category-heads.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partition.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { PartitionProjector } from './project.js';

export interface CatchUpMeans {
  readonly store: Pick<EventStore, 'readAll' | 'readStream' | 'head'>;
  readonly readStore: Pick<ReadStore, 'declare' | 'load' | 'commit' | 'positions' | 'relayCheckpoint'>;
  readonly clock: Clock;
}

export interface CatchUpOptions {
  /** Told after each page of the log how far it got, and how far it goes. */
  readonly progress?: (position: number, head: number) => void;
  /** Ends it early, with what was read so far written. */
  readonly signal?: AbortSignal;
  /** Only these; all of them unless told. */
  readonly partitions?: readonly number[];
}

/**
 * A partition of a projection that stands still because what comes next is for a newer program. An event that cannot
 * be applied halts nothing: it quarantines its document (see `PartitionProjector`).
 */
export interface Halted {
  readonly projection: string;
  readonly partition: number;
  /** Everything of the partition up to here is projected. */
  readonly position: number;
  readonly error: Error;
}

export interface CaughtUp {
  /** Everything up to here is projected, but for what is halted. */
  readonly position: number;
  /** Events read. */
  readonly events: number;
  readonly halted: readonly Halted[];
}

const pageSize = 1000;

/** Changed documents that a partition of a projection holds in memory before it writes them. */
const mostChanged = 2000;

interface Lane {
  readonly projection: Projection;
  readonly partition: number;
  readonly projector: PartitionProjector;
  /** Everything of the partition up to here is written. */
  written: number;
  /** Events of the page that is being read. */
  page: RecordedEvent[];
  halted: Halted | undefined;
}

/**
 * Projects what the log held when it was called, without a broker: reads it once for all projections and partitions,
 * from where the one furthest behind stands. Memory is bounded. May run beside a running projector: writes are
 * conditional. Rejects with `Unavailable` and goes on from what was written when called again.
 */
export async function catchUp(
  projections: readonly Projection[],
  means: CatchUpMeans,
  { progress, signal, partitions }: CatchUpOptions = {},
): Promise<CaughtUp> {
  const lanes = await openLanes(projections, means, partitions);
  const head = await means.store.head();
  let position = Math.min(head, ...lanes.flat().map((lane) => lane.written));
  let events = 0;
  for await (const page of readLog(means.store, position, head, pageSize)) {
    for (const event of page) {
      distribute(event, lanes, position);
      ({ position } = event);
    }
    events += page.length;
    await advanceAll(lanes, position, mostChanged);
    progress?.(position, head);
    if (signal?.aborted === true) break;
  }
  await advanceAll(lanes, position, 0);
  const halted = lanes.flat().flatMap((lane) => lane.halted ?? []);
  return { position, events, halted };
}

/** By partition. */
async function openLanes(
  projections: readonly Projection[],
  means: CatchUpMeans,
  partitions: readonly number[] | undefined,
): Promise<readonly Lane[][]> {
  const lanes: Lane[][] = [];
  const checkpoint = await means.readStore.relayCheckpoint();
  for (const projection of projections) {
    await means.readStore.declare(projection.collection);
    const positions = await means.readStore.positions(projection.collection);
    for (const [partition, position] of positions.entries()) {
      if (partitions?.includes(partition) === false) continue;
      const written = doneUpTo(position, partition, projection.categories, checkpoint);
      const projector = new PartitionProjector(projection, partition, means, mostChanged);
      (lanes[partition] ??= []).push({ projection, partition, projector, written, page: [], halted: undefined });
    }
  }
  return lanes;
}

/** `before`: position of the event before it in the log. Of others that are no event's a log cannot be read. */
function distribute(event: RecordedEvent, lanes: readonly Lane[][], before: number): void {
  const category = categoryOf(event.stream);
  if (category === undefined) return;
  for (const lane of lanes[partitionOf(event.partitionKey)] ?? []) {
    if (lane.halted !== undefined || event.position <= lane.written) continue;
    if (!lane.projection.categories.includes(category)) continue;
    try {
      refuseFuture(event);
      lane.page.push(event);
    } catch (error) {
      halt(lane, before, error);
    }
  }
}

/** Together, because a store may write together what comes together. When one fails the others finish first. */
async function advanceAll(lanes: readonly Lane[][], position: number, enough: number): Promise<void> {
  const outcomes = await Promise.allSettled(lanes.flat().map((lane) => advance(lane, position, enough)));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Folds the lane's page, and writes when enough has changed. A halted lane keeps what came before its event. */
async function advance(lane: Lane, position: number, enough: number): Promise<void> {
  const { projector, page } = lane;
  lane.page = [];
  try {
    if (page.length > 0) await projector.fold(page);
  } catch (error) {
    halt(lane, lane.written, error);
  }
  const reached = lane.halted?.position ?? position;
  if (reached > lane.written && (projector.changed > enough || enough === 0)) {
    await projector.write(reached);
    lane.written = reached;
  }
}

function halt(lane: Lane, position: number, reason: unknown): void {
  if (reason instanceof Unavailable) throw reason;
  const error = asError(reason);
  lane.halted = { projection: lane.projection.collection.name, partition: lane.partition, position, error };
}
