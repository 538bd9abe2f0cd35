import { doneUpTo } from '@waybill/shared-kernel/category-heads.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partition.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import { beginning, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { categoryNameOf } from '@waybill/shared-kernel/stream.js';

/** How fresh an answer is. */
export interface Freshness {
  /** When the document was projected, RFC 3339 UTC; of a list: when the latest of its documents was, null if empty. */
  readonly projectedAt: string | null;
  /**
   * Now − `recordedAt` of the partition's oldest event that should be projected and is not, milliseconds; 0 if none. While
   * the log cannot be looked at: since when there may be one.
   */
  readonly lagMs: number;
}

export interface LagMeans {
  readonly store: Pick<EventStore, 'head' | 'readAll'>;
  readonly readStore: Pick<ReadStore, 'positions' | 'relayCheckpoint' | 'changeCounter'>;
  readonly clock: Clock;
}

/** The lag of every partition of a collection, milliseconds, by number of the partition. */
export type Lags = readonly number[];

/**
 * How far a collection has come, in positions of the log: comparable between versions, whose own positions are not, as
 * each stands at the last event that it took.
 */
export interface Reach {
  /** Of the last event of the log. */
  readonly head: number;
  /** By number of the partition: everything up to here that is to be projected is. */
  readonly projected: readonly number[];
}

/**
 * Measures how far a collection is behind the log. Ask it before the read whose answer it describes: what is read then
 * is at least as fresh. Cheap when asked often: it looks at each part of the log's end once. While the event store is
 * down it answers all the same, with what may be; only the first who asks waits until that is known.
 */
export interface LagGauge {
  lags(): Promise<Lags>;
  /** `undefined` while the log cannot be looked at. */
  reach(): Promise<Reach | undefined>;
}

export function documentFreshness(document: StoredDocument, lags: Lags): Freshness {
  return { projectedAt: document.projectedAt, lagMs: lags[document.partition] ?? 0 };
}

/** Of a list, whose documents may come from any partition. */
export function listFreshness(documents: readonly StoredDocument[], lags: Lags): Freshness {
  const latest = documents.reduce((time, { projectedAt }) => (projectedAt > time ? projectedAt : time), '');
  return { projectedAt: latest === '' ? null : latest, lagMs: Math.max(0, ...lags) };
}

interface PartitionLag {
  /** Everything of the partition up to here that concerns the projection is projected. */
  clear: number;
  /** The oldest event that is not projected, once it was found. */
  pending: RecordedEvent | undefined;
}

/** Few, because within a few events there is nearly always one of each partition. */
const pageSize = 64;

/** For how long an event store that was down is not asked again, milliseconds. */
const leftAloneMs = 1_000;

export function lagGauge(
  { collection, categories }: Pick<Projection, 'collection' | 'categories'>,
  { store, readStore, clock }: LagMeans,
): LagGauge {
  const concerned: ReadonlySet<string> = new Set(categories);
  const partitions = Array.from({ length: partitionCount }, (): PartitionLag => ({
    clear: beginning,
    pending: undefined,
  }));
  let measured: { readonly head: number; readonly change: number } | undefined;
  let measuring: Promise<void> | undefined;
  /** When the log was last looked at. */
  let lookedAt = clock.now();
  /** When the log could not be looked at, unless it could since. */
  let blindAt: number | undefined;

  async function look(): Promise<void> {
    const now = clock.now();
    try {
      await measure();
      lookedAt = now;
      blindAt = undefined;
    } catch (error) {
      if (!(error instanceof Unavailable) || error.what !== 'event store') throw error;
      blindAt = clock.now();
    }
  }

  async function measure(): Promise<void> {
    const change = readStore.changeCounter();
    const hasChanged = measured?.change !== change;
    const [asked, moved] = await Promise.allSettled([store.head(), hasChanged ? readStore.positions(collection) : []]);
    // First what the read itself needs, and will not have either.
    if (moved.status === 'rejected') throw moved.reason;
    if (asked.status === 'rejected') throw asked.reason;
    const head = asked.value;
    if (measured?.head === head && !hasChanged) return;
    for (const [partition, position] of moved.value.entries()) {
      const lag = partitions[partition]!;
      lag.clear = Math.max(lag.clear, position);
      if (lag.pending !== undefined && lag.pending.position <= position) lag.pending = undefined;
    }
    await findPending(head);
    measured = { head, change };
  }

  async function findPending(head: number): Promise<void> {
    for (let hasSkipped = false; ;) {
      const open = partitions.filter((lag) => lag.pending === undefined && lag.clear < head);
      if (open.length === 0) return;
      const page = await store.readAll(Math.min(...open.map((lag) => lag.clear)), pageSize);
      for (const event of page) {
        const lag = partitions[partitionOf(event.partitionKey)]!;
        if (lag.pending !== undefined || event.position <= lag.clear) continue;
        if (concerned.has(categoryNameOf(event.stream))) lag.pending = event;
      }
      const end = page.length < pageSize ? head : page.at(-1)!.position;
      for (const lag of open) if (lag.pending === undefined) lag.clear = Math.max(lag.clear, end);
      if (page.length === pageSize && !hasSkipped) {
        hasSkipped = true;
        await skip();
      }
    }
  }

  /** Past what the relay has met without an event that concerns the projection: where those are few, the log is long. */
  async function skip(): Promise<void> {
    const checkpoint = await readStore.relayCheckpoint();
    for (const [partition, lag] of partitions.entries()) {
      if (lag.pending === undefined) lag.clear = doneUpTo(lag.clear, partition, categories, checkpoint);
    }
  }

  async function refresh(): Promise<void> {
    if (blindAt !== undefined && clock.now() - blindAt < leftAloneMs) return;
    measuring ??= look().finally(() => {
      measuring = undefined;
    });
    if (blindAt === undefined) await measuring;
    else measuring.catch(() => undefined); // The read that follows meets the same fault.
  }

  return {
    async lags() {
      await refresh();
      const now = clock.now();
      const unknown = blindAt === undefined ? 0 : Math.max(0, now - lookedAt);
      return partitions.map(({ pending }) =>
        pending === undefined ? unknown : Math.max(0, now - Date.parse(pending.recordedAt)),
      );
    },

    async reach() {
      await refresh();
      if (blindAt !== undefined || measured === undefined) return undefined;
      const projected = partitions.map(({ clear, pending }) => (pending === undefined ? clear : pending.position - 1));
      return { head: measured.head, projected };
    },
  };
}
