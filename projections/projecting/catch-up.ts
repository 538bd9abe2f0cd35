import { asError } from '@waybill/shared-kernel/as-error.js';
import { LogMismatch, Unavailable } from '@waybill/shared-kernel/errors.js';
import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import { DeliveryOwners } from '@waybill/shared-kernel/partitions/delivery-owners.js';
import { cutAt, misfits, nearer, Trail, type LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { beginning, type StreamReader, type LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type { Collections, DocumentStore, CollectionCheckpoints } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { streamsInDoubt, type StreamInDoubt } from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { PartitionProjector } from './project.js';

export interface CatchUpDependencies {
  readonly store: StreamReader & LogReader;
  readonly readStore: Collections & DocumentStore & CollectionCheckpoints;
  readonly clock: WallClock;
}

export interface CatchUpOptions {
  /** Called after each page of the log with how far it got, and how far it goes. */
  readonly progress?: (position: number, head: number) => void;
  /** Ends it early; what was read so far is written. */
  readonly signal?: AbortSignal;
  /** Only these; by default all of them. */
  readonly partitions?: readonly number[];
}

/**
 * A halted partition of a projection: its next event is for a newer program; or, with `LogMismatch` and at the
 * beginning, the projection was made from another log. An event that cannot be applied halts nothing: it quarantines
 * its document (see `PartitionProjector`).
 */
export interface Halted {
  readonly projection: string;
  readonly version: number;
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

/** Pages without an event of ours after which positions are saved. */
const pagesPerSave = 20;

/** Changed documents that a partition of a projection holds in memory before it writes them. */
const mostChanged = 2000;

interface Lane {
  readonly projection: Projection;
  readonly partition: number;
  readonly projector: PartitionProjector;
  /** Everything of the partition up to here is written. */
  written: LogPosition;
  /** Events of the page that is being read, and the streams of which it says that not all can be read. */
  page: RecordedEvent[];
  doubted: StreamInDoubt[];
  halted: Halted | undefined;
}

/**
 * Projects everything the log holds when it is called, without a broker. It reads the log once for all projections and
 * partitions, from the position that is furthest behind. Memory is bounded. It may run beside a projector, because
 * writes are conditional. Rejects with `Unavailable`; called again, it goes on from what was written.
 */
export async function catchUp(
  projections: readonly Projection[],
  dependencies: CatchUpDependencies,
  { progress, signal, partitions }: CatchUpOptions = {},
): Promise<CaughtUp> {
  const lanes = await openLanes(projections, dependencies, partitions);
  const head = await dependencies.store.head();
  const moving = lanes.flat().filter((lane) => lane.halted === undefined);
  const written = moving.map((lane) => lane.written);
  let trail = Trail.from(written.reduce(nearer, { through: head, anchors: [] }));
  const owners = new DeliveryOwners(dependencies.store);
  let events = 0;
  let quietPages = 0;
  for await (const page of readLog(dependencies.store, trail.through, head, pageSize)) {
    let before = trail.through;
    for (const event of page.events) {
      distribute(event, lanes, before);
      before = event.position;
    }
    if (page.marks.length > 0) {
      for (const stream of await streamsInDoubt(dependencies.store, page.marks, owners)) {
        const category = categoryOf(stream.stream)!;
        for (const lane of lanes[partitionOf(stream.partitionKey)] ?? []) {
          if (lane.halted === undefined && lane.projection.categories.includes(category)) lane.doubted.push(stream);
        }
      }
    }
    trail = trail.pass(page.events, page.through);
    events += page.events.length;
    quietPages = page.events.length === 0 ? quietPages + 1 : 0;
    // What was looked through in vain need not be looked through again after a restart.
    const isToSave = quietPages > 0 && quietPages % pagesPerSave === 0;
    await advanceAll(lanes, trail.position(), isToSave ? 0 : mostChanged);
    progress?.(trail.through, head);
    if (signal?.aborted === true) break;
  }
  await advanceAll(lanes, trail.position(), 0);
  if (trail.through < head && signal?.aborted !== true) {
    throw new Unavailable('event store', `The log does not show position ${head} yet.`);
  }
  const halted = lanes.flat().flatMap((lane) => lane.halted ?? []);
  return { position: trail.through, events, halted };
}

/** By partition. A projection of which one partition does not fit the log is halted in all: they were made together. */
async function openLanes(
  projections: readonly Projection[],
  dependencies: CatchUpDependencies,
  partitions: readonly number[] | undefined,
): Promise<readonly Lane[][]> {
  const lanes: Lane[][] = [];
  for (const projection of projections) {
    await dependencies.readStore.declare(projection.collection);
    const positions = await dependencies.readStore.positions(projection.collection);
    const { name, version } = projection.collection;
    const [why] = await misfits(dependencies.store, positions);
    const mismatch = why === undefined ? undefined : new LogMismatch(`Version ${version} of ${name}`, why);
    for (const [partition, written] of positions.entries()) {
      if (partitions?.includes(partition) === false) continue;
      const projector = new PartitionProjector(projection, partition, dependencies, mostChanged);
      const lane: Lane = { projection, partition, projector, written, page: [], doubted: [], halted: undefined };
      if (mismatch !== undefined) halt(lane, beginning, mismatch);
      (lanes[partition] ??= []).push(lane);
    }
  }
  return lanes;
}

/** `before`: position of the event before it in the log. Of others that are no event's a log cannot be read. */
function distribute(event: RecordedEvent, lanes: readonly Lane[][], before: number): void {
  const category = categoryOf(event.stream);
  if (category === undefined) return;
  for (const lane of lanes[partitionOf(event.partitionKey)] ?? []) {
    if (lane.halted !== undefined || event.position <= lane.written.through) continue;
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
async function advanceAll(lanes: readonly Lane[][], position: LogPosition, enough: number): Promise<void> {
  const outcomes = await Promise.allSettled(lanes.flat().map((lane) => advance(lane, position, enough)));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Folds the lane's page, and writes when enough has changed. A halted lane keeps what came before its event. */
async function advance(lane: Lane, position: LogPosition, enough: number): Promise<void> {
  const { projector, page, doubted } = lane;
  lane.page = [];
  lane.doubted = [];
  try {
    if (page.length > 0) await projector.fold(page);
    if (doubted.length > 0) await projector.doubt(doubted);
  } catch (error) {
    halt(lane, lane.written.through, error);
  }
  const reached = lane.halted === undefined ? position : cutAt(position, lane.halted.position);
  if (reached.through > lane.written.through && (projector.changed > enough || enough === 0)) {
    await projector.write(reached);
    lane.written = reached;
  }
}

function halt(lane: Lane, position: number, reason: unknown): void {
  if (reason instanceof Unavailable) throw reason;
  const error = asError(reason);
  const { name: projection, version } = lane.projection.collection;
  lane.halted = { projection, version, partition: lane.partition, position, error };
}
