import { LRUCache } from 'lru-cache';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { DeadlineName } from '@waybill/shared-kernel/events/fulfilment.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { logBeginning, type LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { beginning, noStream } from '@waybill/shared-kernel/ports/event-store.js';
import type {
  DocumentWrite,
  ListQuery,
  StoredDocument,
  Collections,
  DocumentStore,
  DocumentLists,
} from '@waybill/shared-kernel/ports/read-store.js';
import { fieldsOf, itemOf, overdue, placeAfter, placeOf, worklist, type WorklistSection } from './worklist.js';

/** A fulfilment at a revision of its stream: the fold of the stream up to there. */
export interface WorklistNote extends WorklistSection {
  readonly orderId: string;
  readonly revision: number;
}

/** Where the worklist is kept. */
export type WorklistStore = Collections & DocumentStore & DocumentLists;

export interface WorklistDependencies {
  readonly readStore: WorklistStore;
  readonly clock: WallClock;
}

interface Entry {
  readonly revision: number;
  readonly section: WorklistSection;
}

/** What is known of the stored document. */
type Written = Pick<StoredDocument, 'revisions' | 'degraded'>;

/** For how many fulfilments the written revision is remembered. */
const remembered = 20_000;
/** How many write conflicts are met before it gives up. */
const mostConflicts = 10;

/** Writes the worklist of a process manager, and finds the orders that are due. */
export class WorklistWriter {
  readonly #dependencies: WorklistDependencies;
  /** Partition → order → what is to be written. */
  readonly #noted = new Map<number, Map<string, Entry>>();
  /** Order → what the store has. */
  readonly #written = new LRUCache<string, Written>({ max: remembered });
  /** Partition → where the last answer to `due` ended. */
  readonly #asked = new Map<number, ListQuery['after']>();

  constructor(dependencies: WorklistDependencies) {
    this.#dependencies = dependencies;
  }

  /** Up to which revision a fulfilment is noted or written, as far as is known; −1: not known. */
  knownUpTo(orderId: string): number {
    const noted = this.#noted.get(partitionOf(orderId))?.get(orderId);
    return noted?.revision ?? revisionOf(this.#written.get(orderId));
  }

  /** Notes the state of a fulfilment until `flush`. An earlier revision than the known one is a no-op. */
  note({ orderId, revision, ...section }: WorklistNote): void {
    const partition = partitionOf(orderId);
    const noted = this.#noted.get(partition) ?? new Map<string, Entry>();
    this.#noted.set(partition, noted);
    if (revision > this.knownUpTo(orderId)) noted.set(orderId, { revision, section });
  }

  /**
   * Writes what was noted of a partition. Call it before the consumer's position moves past the noted events. What
   * could not be written when it rejects stays noted. `position`: once written, the list holds all of the partition's
   * fulfilments up to it.
   */
  async flush(partition: number, position = logBeginning): Promise<void> {
    const noted = this.#noted.get(partition) ?? new Map<string, Entry>();
    if (noted.size === 0 && position.through === beginning) return;
    await this.#dependencies.readStore.declare(worklist);
    const entries = new Map(noted);
    let pending: readonly string[] = [...entries.keys()];
    let round = 0;
    do {
      if (round > mostConflicts)
        throw new Unavailable('read store', 'There were too many conflicts with other process managers.');
      pending = await this.#write(partition, pending, entries, position);
      round += 1;
    } while (pending.length > 0);
    for (const [orderId, entry] of entries) if (noted.get(orderId) === entry) noted.delete(orderId);
  }

  /** Forgets what was noted of a partition that another works on now. */
  forget(partition: number): void {
    this.#noted.delete(partition);
    this.#asked.delete(partition);
  }

  /** Forgets what was written: the list was deleted. */
  forgetWritten(): void {
    this.#written.clear();
  }

  /**
   * At most `limit` orders of a partition whose deadline is past, as of the last flush, the longest overdue first. The
   * next call continues behind them, and begins again once fewer than `limit` were found: orders that stay due do not
   * keep others from their turn. `now`: milliseconds since 1970.
   */
  async due(partition: number, now: number, limit: number): Promise<readonly string[]> {
    const { readStore } = this.#dependencies;
    await readStore.declare(worklist);
    const after = this.#asked.get(partition);
    const query = { equal: { partition: String(partition) }, ...overdue(now), limit };
    const found = await readStore.list(worklist, { ...query, ...(after !== undefined && { after }) });
    this.#asked.set(partition, found.length < limit ? undefined : placeOf(found.at(-1)!));
    return found.map(({ key }) => key);
  }

  /**
   * Orders of a partition that wait for something until a time after `after` and up to `upTo`, as of the last flush, at most
   * `pageSize` at once. Times: milliseconds since 1970.
   */
  async *waitingFor(
    deadline: DeadlineName,
    partition: number,
    { after: from, upTo, pageSize }: { readonly after: number; readonly upTo: number; readonly pageSize: number },
  ): AsyncGenerator<readonly string[], void, undefined> {
    const { readStore } = this.#dependencies;
    await readStore.declare(worklist);
    let after: ListQuery['after'] = placeAfter(from);
    while (after !== undefined) {
      const query = { equal: { partition: String(partition) }, ...overdue(upTo), limit: pageSize, after };
      const found = await readStore.list(worklist, query);
      yield found.filter((document) => itemOf(document).deadline === deadline).map(({ key }) => key);
      after = found.length < pageSize ? undefined : placeOf(found.at(-1)!);
    }
  }

  /** Writes the documents that the store lacks; answers with those whose stored state was not as known. */
  async #write(
    partition: number,
    orderIds: readonly string[],
    entries: ReadonlyMap<string, Entry>,
    position: LogPosition,
  ): Promise<readonly string[]> {
    const { readStore, clock } = this.#dependencies;
    const projectedAt = timestamp(clock);
    const writes: DocumentWrite[] = [];
    for (const key of orderIds) {
      const { revision, section } = entries.get(key)!;
      const written = this.#written.get(key);
      if (revisionOf(written) >= revision) continue;
      writes.push({
        key,
        // One of which nothing is known is taken for new, as most are.
        expected: written?.revisions,
        ...(written?.degraded !== undefined && { expectedDegraded: written.degraded }),
        revisions: { fulfilment: revision },
        sections: { fulfilment: section },
        fields: fieldsOf(section),
        projectedAt,
      });
    }
    if (writes.length === 0 && position.through === beginning) return [];
    const conflicts = await readStore.commit({ collection: worklist, partition, writes, position });
    for (const { key, revisions } of writes) this.#written.set(key, { revisions });
    if (conflicts.length === 0) return [];
    for (const key of conflicts) this.#written.delete(key);
    for (const { key, revisions, degraded } of await readStore.load(worklist, conflicts)) {
      this.#written.set(key, { revisions, ...(degraded !== undefined && { degraded }) });
    }
    return conflicts;
  }
}

function revisionOf(written: Written | undefined): number {
  return written?.revisions['fulfilment'] ?? noStream;
}
