import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { requireFit, type LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { LogTime } from '@waybill/shared-kernel/log-time.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { epochMs, type SteadyClock, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { beginning, largestPage, type LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type { StoredDocument, CollectionCheckpoints, ChangeCounter } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { categoryNameOf } from '@waybill/shared-kernel/stream.js';

/** How fresh an answer is. */
export interface Freshness {
  /** When the document was projected, RFC 3339 UTC; of a list: when the latest of its documents was, null if empty. */
  readonly projectedAt: string | null;
  /**
   * Now − `recordedAt` of the partition's oldest event that should be projected and is not, milliseconds, at least 1; 0 if
   * there is none. While the log cannot be looked at: since when there may be one.
   */
  readonly lagMs: number;
}

export interface LagDependencies {
  readonly store: LogReader;
  readonly readStore: CollectionCheckpoints & ChangeCounter;
  readonly clock: WallClock;
  readonly steadyClock: SteadyClock;
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
 * down it answers all the same, with what may be; only the first who asks waits until that is known. Throws `LogMismatch`
 * where the collection was made from another log, or from a later state of this one: nothing is to be answered from it.
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

/** Few at first, because within a few events there is nearly always one of each partition. */
const firstPage = 64;

/** For how long an event store that was down is not asked again, milliseconds. */
const leftAloneMs = 1_000;

/** For how long it is believed that the log is the one that the collection was made from, milliseconds. */
const believedForMs = 5_000;

export function lagGauge(
  { collection, categories }: Pick<Projection, 'collection' | 'categories'>,
  { store, readStore, clock, steadyClock }: LagDependencies,
): LagGauge {
  const logTime = () => new LogTime({ wallClock: clock, steadyClock });
  let time = logTime();
  const concerned: ReadonlySet<string> = new Set(categories);
  const partitions = Array.from({ length: partitionCount }, (): PartitionLag => ({
    clear: beginning,
    pending: undefined,
  }));
  let positions: readonly LogPosition[] = [];
  let measured: { readonly head: number; readonly change: number } | undefined;
  /** When the positions were last held to the log. */
  let fittedAt = -Infinity;
  let measuring: Promise<void> | undefined;
  /** When the log was last looked at. */
  let lookedAt = steadyClock.now();
  /** When the log could not be looked at, unless it could since. */
  let blindAt: number | undefined;

  async function look(): Promise<void> {
    const now = steadyClock.now();
    try {
      await measure();
      lookedAt = now;
      blindAt = undefined;
    } catch (error) {
      if (!(error instanceof Unavailable) || error.what !== 'event store') throw error;
      blindAt = steadyClock.now();
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
    if (hasChanged) positions = moved.value;
    if (measured !== undefined && head < measured.head) forget();
    await requireThisLog(head);
    if (measured?.head === head && !hasChanged) return;
    for (const [partition, { through }] of positions.entries()) {
      const lag = partitions[partition]!;
      lag.clear = Math.max(lag.clear, through);
      if (lag.pending !== undefined && lag.pending.position <= through) lag.pending = undefined;
    }
    await findPending(head);
    measured = { head, change };
  }

  /** Now and then, and where a position is behind the head: that may have come since the head was asked for. */
  async function requireThisLog(head: number): Promise<void> {
    const now = steadyClock.now();
    const isBeyond = positions.some(({ through }) => through > head);
    if (!isBeyond && now - fittedAt < believedForMs) return;
    fittedAt = -Infinity;
    for (const position of positions) await requireFit(store, position, `The read model ${collection.name}`);
    fittedAt = now;
  }

  /** An older log was restored: what was seen at its end may not be there. */
  function forget(): void {
    for (const lag of partitions) Object.assign(lag, { clear: beginning, pending: undefined });
    measured = undefined;
    time = logTime();
  }

  async function findPending(head: number): Promise<void> {
    for (let pageSize = firstPage; ; pageSize = largestPage) {
      const open = partitions.filter((lag) => lag.pending === undefined && lag.clear < head);
      if (open.length === 0) return;
      const page = await store.readAll(Math.min(...open.map((lag) => lag.clear)), pageSize);
      const last = page.events.at(-1);
      if (last !== undefined) time.see(last);
      for (const event of page.events) {
        const lag = partitions[partitionOf(event.partitionKey)]!;
        if (lag.pending !== undefined || event.position <= lag.clear) continue;
        if (concerned.has(categoryNameOf(event.stream))) lag.pending = event;
      }
      // What it does not show yet may be of any partition.
      if (page.isEnd && page.through < head) throw new Unavailable('event store', 'The log does not show its end yet.');
      const end = page.isEnd ? head : page.through;
      for (const lag of open) if (lag.pending === undefined) lag.clear = Math.max(lag.clear, end);
    }
  }

  async function refresh(): Promise<void> {
    if (blindAt !== undefined && steadyClock.now() - blindAt < leftAloneMs) return;
    measuring ??= look().finally(() => {
      measuring = undefined;
    });
    if (blindAt === undefined) await measuring;
    else measuring.catch(() => undefined); // The read that follows meets the same fault.
  }

  return {
    async lags() {
      await refresh();
      const unknown = blindAt === undefined ? 0 : steadyClock.now() - lookedAt;
      const now = epochMs(time);
      return partitions.map(({ pending }) =>
        // What has just been recorded waits, too.
        pending === undefined ? unknown : Math.max(1, now - Date.parse(pending.recordedAt)),
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
