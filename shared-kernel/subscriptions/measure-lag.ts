import { logBeginning, misfits, type LogPosition } from './log-position.js';
import { partitionOf } from '../partitions/partition.js';
import { epochMs, type WallClock } from '../ports/clock.js';
import type { LogReader, LogPositions } from '../ports/event-store.js';
import type { CollectionCheckpoints, RelayCheckpoints } from '../ports/read-store.js';
import type { Projection } from '../projection.js';
import type { RecordedEvent } from '../message.js';
import { readLogTo } from '../read-stream.js';
import { categoryOf } from '../stream.js';

/**
 * How far something that follows the log has come, and what it has not done yet. Where it followed another log, or one
 * that went on differently, it has done nothing of this one.
 */
export interface Lag {
  /** Everything up to here is done. */
  readonly position: string;
  readonly lagEvents: number;
  /** Since the oldest of them was recorded; 0 if there is none. */
  readonly lagSeconds: number;
  /** Set where its position is not of this log: what speaks against it. */
  readonly mismatch?: string;
}

export interface ProjectionLag extends Lag {
  readonly name: string;
  readonly version: number;
}

export interface Lags {
  readonly log: { readonly position: string };
  readonly relay: Lag;
  readonly projections: readonly ProjectionLag[];
}

interface LagDependencies {
  readonly store: LogReader;
  readonly readStore: CollectionCheckpoints & RelayCheckpoints;
  readonly clock: WallClock;
}

/** Positions to count from: the beginning in each, with what speaks against them, where one is not of this log. */
export async function countedFrom(
  store: LogPositions,
  positions: readonly LogPosition[],
): Promise<{ readonly positions: readonly LogPosition[]; readonly mismatch?: string }> {
  const [mismatch] = await misfits(store, positions);
  return mismatch === undefined ? { positions } : { positions: positions.map(() => logBeginning), mismatch };
}

/** Counts what one follower has not done. */
export class LagSubject {
  #pending = 0;
  #oldest: RecordedEvent | undefined;
  #before: number;
  /** When the latest event was recorded that it saw, milliseconds since 1970. */
  #recordedMs = 0;

  constructor(
    /** Where it has done everything. */
    readonly from: number,
    private readonly isPending: (event: RecordedEvent) => boolean,
  ) {
    this.#before = from;
  }

  see(event: RecordedEvent): void {
    this.#recordedMs = Math.max(this.#recordedMs, Date.parse(event.recordedAt));
    if (event.position > this.from && this.isPending(event)) {
      this.#oldest ??= event;
      this.#pending += 1;
    } else if (this.#oldest === undefined) {
      this.#before = Math.max(this.#before, event.position);
    }
  }

  /** `wallMs`: now by the wall clock, milliseconds since 1970; where the log is ahead of it, its last event tells. */
  lag(head: number, wallMs: number): Lag {
    const now = Math.max(wallMs, this.#recordedMs);
    const since = this.#oldest === undefined ? now : Date.parse(this.#oldest.recordedAt);
    return {
      position: String(this.#oldest === undefined ? Math.max(head, this.from) : this.#before),
      lagEvents: this.#pending,
      lagSeconds: (now - since) / 1000,
    };
  }
}

export function relayFollower({ through }: LogPosition): LagSubject {
  return new LagSubject(through, () => true);
}

/** `positions`: of every partition, by number. */
export function projectionFollower(
  { categories }: Pick<Projection, 'categories'>,
  applied: readonly LogPosition[],
): LagSubject {
  const positions = applied.map(({ through }) => through);
  return new LagSubject(Math.min(...positions), ({ stream, partitionKey, position }) => {
    const category = categoryOf(stream);
    if (category === undefined || !categories.includes(category)) return false;
    return position > (positions[partitionOf(partitionKey)] ?? 0);
  });
}

/**
 * The lag of one, by reading at most about `most` events of what it has not done: where there are more, `lagEvents`
 * counts only those. `undefined` where none of them is its own, so that the lag is unknown. Throws `Unavailable` while
 * the log does not show its end.
 */
export async function measureLagOf(
  follower: LagSubject,
  { store, clock }: Pick<LagDependencies, 'store' | 'clock'>,
  most: number,
): Promise<Lag | undefined> {
  const head = await store.head();
  let read = 0;
  for await (const page of readLogTo(store, follower.from, head)) {
    for (const event of page.events) follower.see(event);
    read += page.events.length;
    if (read >= most && page.through < head) {
      const lag = follower.lag(head, epochMs(clock));
      return lag.lagEvents === 0 ? undefined : lag;
    }
  }
  return follower.lag(head, epochMs(clock));
}

/** What speaks against the positions that are not of this log, by whose they are: `relay` or `orders.v2`. */
export async function findMisfits(
  projections: readonly Projection[],
  { store, readStore }: Pick<LagDependencies, 'store' | 'readStore'>,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const judge = async (whose: string, positions: readonly LogPosition[]): Promise<void> => {
    const [why] = await misfits(store, positions);
    if (why !== undefined) found.set(whose, why);
  };
  await judge('relay', [await readStore.relayCheckpoint()]);
  for (const { collection } of projections) {
    await judge(`${collection.name}.v${collection.version}`, await readStore.positions(collection));
  }
  return found;
}

/**
 * Measures how far relay and read models are behind the log, by reading what they have not done. Throws `Unavailable` while the
 * log does not show its end.
 */
export async function measureLag(
  projections: readonly Projection[],
  { store, readStore, clock }: LagDependencies,
  onProgress: (position: number, head: number) => void = () => undefined,
): Promise<Lags> {
  const mismatches = new Map<LagSubject, string>();
  const fitting = async (
    positions: readonly LogPosition[],
    follow: (positions: readonly LogPosition[]) => LagSubject,
  ): Promise<LagSubject> => {
    const { positions: from, mismatch } = await countedFrom(store, positions);
    const follower = follow(from);
    if (mismatch !== undefined) mismatches.set(follower, mismatch);
    return follower;
  };
  const lagOf = (follower: LagSubject, at: number, now: number): Lag => {
    const mismatch = mismatches.get(follower);
    return mismatch === undefined ? follower.lag(at, now) : { ...follower.lag(at, now), mismatch };
  };
  const followers: LagSubject[] = [];
  for (const projection of projections) {
    const positions = await readStore.positions(projection.collection);
    followers.push(await fitting(positions, (fit) => projectionFollower(projection, fit)));
  }
  const relay = await fitting([await readStore.relayCheckpoint()], ([fit]) => relayFollower(fit!));
  const all = [relay, ...followers];
  const head = await store.head();
  for await (const page of readLogTo(store, Math.min(...all.map(({ from }) => from)), head)) {
    for (const event of page.events) for (const follower of all) follower.see(event);
    onProgress(page.through, head);
  }
  const now = epochMs(clock);
  return {
    log: { position: String(head) },
    relay: lagOf(relay, head, now),
    projections: projections.map(({ collection: { name, version } }, index) => ({
      name,
      version,
      ...lagOf(followers[index]!, head, now),
    })),
  };
}
