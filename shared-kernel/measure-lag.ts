import { doneUpTo } from './category-heads.js';
import { partitionOf } from './partition.js';
import type { Clock } from './ports/clock.js';
import type { EventStore } from './ports/event-store.js';
import type { ReadStore, RelayCheckpoint } from './ports/read-store.js';
import type { Projection } from './projection.js';
import type { RecordedEvent } from './message.js';
import { readLog } from './read-stream.js';
import { categoryOf } from './stream.js';

/** How far something that follows the log has come, and what it has not done yet. */
export interface Lag {
  /** Everything up to here is done. */
  readonly position: string;
  readonly lagEvents: number;
  /** Since the oldest of them was recorded; 0 if there is none. */
  readonly lagSeconds: number;
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

interface LagMeans {
  readonly store: Pick<EventStore, 'head' | 'readAll'>;
  readonly readStore: Pick<ReadStore, 'positions' | 'relayCheckpoint'>;
  readonly clock: Clock;
}

/** Counts what one follower has not done. */
export class Follower {
  #pending = 0;
  #oldest: RecordedEvent | undefined;
  #before: number;

  constructor(
    /** Where it has done everything. */
    readonly from: number,
    private readonly isPending: (event: RecordedEvent) => boolean,
  ) {
    this.#before = from;
  }

  see(event: RecordedEvent): void {
    if (event.position > this.from && this.isPending(event)) {
      this.#oldest ??= event;
      this.#pending += 1;
    } else if (this.#oldest === undefined) {
      this.#before = Math.max(this.#before, event.position);
    }
  }

  lag(head: number, now: number): Lag {
    const since = this.#oldest === undefined ? now : Date.parse(this.#oldest.recordedAt);
    return {
      position: String(this.#oldest === undefined ? Math.max(head, this.from) : this.#before),
      lagEvents: this.#pending,
      lagSeconds: Math.max(0, now - since) / 1000,
    };
  }
}

export function relayFollower({ position }: RelayCheckpoint): Follower {
  return new Follower(position, () => true);
}

/** `positions`: of every partition, by number. */
export function projectionFollower(
  { categories }: Pick<Projection, 'categories'>,
  positions: readonly number[],
  checkpoint: RelayCheckpoint,
): Follower {
  const done = positions.map((position, partition) => doneUpTo(position, partition, categories, checkpoint));
  return new Follower(Math.min(...done), ({ stream, partitionKey, position }) => {
    const category = categoryOf(stream);
    if (category === undefined || !categories.includes(category)) return false;
    return position > (positions[partitionOf(partitionKey)] ?? 0);
  });
}

/**
 * The lag of one, by reading at most about `most` events of what it has not done: where there are more, `lagEvents`
 * counts only those. `undefined` where none of them is its own, so that it cannot be told.
 */
export async function measureLagOf(
  follower: Follower,
  { store, clock }: Pick<LagMeans, 'store' | 'clock'>,
  most: number,
): Promise<Lag | undefined> {
  const head = await store.head();
  let read = 0;
  for await (const page of readLog(store, follower.from, head)) {
    for (const event of page) follower.see(event);
    read += page.length;
    if (read >= most && page.at(-1)!.position < head) {
      const lag = follower.lag(head, clock.now());
      return lag.lagEvents === 0 ? undefined : lag;
    }
  }
  return follower.lag(head, clock.now());
}

/** Measures how far relay and read models are behind the log, by reading what they have not done. */
export async function measureLag(
  projections: readonly Projection[],
  { store, readStore, clock }: LagMeans,
  onProgress: (position: number, head: number) => void = () => undefined,
): Promise<Lags> {
  const checkpoint = await readStore.relayCheckpoint();
  const followers: Follower[] = [];
  for (const projection of projections) {
    followers.push(projectionFollower(projection, await readStore.positions(projection.collection), checkpoint));
  }
  const relay = relayFollower(checkpoint);
  const all = [relay, ...followers];
  const head = await store.head();
  for await (const page of readLog(store, Math.min(...all.map(({ from }) => from)), head)) {
    for (const event of page) for (const follower of all) follower.see(event);
    onProgress(page.at(-1)!.position, head);
  }
  const now = clock.now();
  return {
    log: { position: String(head) },
    relay: relay.lag(head, now),
    projections: projections.map(({ collection: { name, version } }, index) => ({
      name,
      version,
      ...followers[index]!.lag(head, now),
    })),
  };
}
