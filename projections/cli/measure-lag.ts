import { doneUpTo } from '@waybill/shared-kernel/category-heads.js';
import { partitionOf } from '@waybill/shared-kernel/partition.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';

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

export interface LagMeans {
  readonly store: Pick<EventStore, 'head' | 'readAll'>;
  readonly readStore: Pick<ReadStore, 'positions' | 'relayCheckpoint'>;
  readonly clock: Clock;
}

/** Counts what one follower has not done. */
class Follower {
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

/** Measures how far relay and read models are behind the log, by reading what they have not done. */
export async function measureLag(
  projections: readonly Projection[],
  { store, readStore, clock }: LagMeans,
  onProgress: (position: number, head: number) => void = () => undefined,
): Promise<Lags> {
  const checkpoint = await readStore.relayCheckpoint();
  const followers: Follower[] = [];
  for (const { collection, categories } of projections) {
    const positions = await readStore.positions(collection);
    const done = positions.map((position, partition) => doneUpTo(position, partition, categories, checkpoint));
    const isPending = (event: RecordedEvent) => {
      const category = categoryOf(event.stream);
      if (category === undefined || !categories.includes(category)) return false;
      return event.position > (positions[partitionOf(event.partitionKey)] ?? 0);
    };
    followers.push(new Follower(Math.min(...done), isPending));
  }
  const relay = new Follower(checkpoint.position, () => true);
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
