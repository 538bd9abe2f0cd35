import { LRUCache } from 'lru-cache';
import { Unavailable } from './errors.js';
import type { DeadlineName } from './events/fulfilment.js';
import { partitionOf } from './partition.js';
import { timestamp, type Clock } from './ports/clock.js';
import { beginning, noStream } from './ports/event-store.js';
import type {
  CollectionSpec,
  DocumentWrite,
  Fields,
  ListQuery,
  ReadStore,
  StoredDocument,
} from './ports/read-store.js';

/** What a fulfilment can be at while it is not completed, in the order of the way from the cart to the door. */
export const openStates = [
  'reserving',
  'authorising',
  'rejecting',
  'confirming',
  'delivering',
  'capturing',
  'compensating',
] as const;
export type OpenState = (typeof openStates)[number];

/** How a fulfilment stands, as the section `fulfilment` of its document. Times are RFC 3339 UTC. */
export interface AgendaItem {
  readonly state: OpenState | 'completed';
  /** What it waits for, and until when; both null: for nothing that has a deadline. */
  readonly deadline: DeadlineName | null;
  readonly dueAt: string | null;
  /** When it came to this state. */
  readonly since: string;
}

/** How a fulfilment stands at a revision of its stream. */
export interface AgendaNote extends AgendaItem {
  readonly orderId: string;
  readonly revision: number;
}

/**
 * The fulfilments by state and deadline: a document per order, so that the process manager finds what is due and
 * operators see what is stuck. The streams are the truth; this is made from them by the process manager, which keeps
 * its positions in the same store, so where one is lost the other is too, and both are made anew.
 *
 * Lists begin with what is due first, overdue before not yet due; what has no deadline comes last, the longest there
 * first. A completed one is in no list and in no group.
 */
export const agenda: CollectionSpec = {
  name: 'agenda',
  version: 1,
  fields: { state: 'text', deadline: 'text', partition: 'text', urgency: 'text', since: 'number' },
  multiple: [],
  order: 'urgency',
  indexes: [['partition'], ['state']],
  // Seconds: what is waited on average is told without reading a document.
  groups: [{ by: 'state', and: 'deadline', sum: 'since' }],
};

const ofCompleted: Fields = {
  single: { state: null, deadline: null, partition: null, urgency: null, since: null },
  multiple: {},
};

function fieldsOf(orderId: string, { state, deadline, dueAt, since }: AgendaItem): Fields {
  if (state === 'completed') return ofCompleted;
  const single = {
    state,
    deadline,
    partition: String(partitionOf(orderId)),
    urgency: dueAt === null ? `-${urgencyOf(Date.parse(since))}` : urgencyOf(Date.parse(dueAt)),
    since: Math.floor(Date.parse(since) / 1000),
  };
  return { single, multiple: {} };
}

/** Milliseconds since 1970 of the last moment that a date can hold. */
const lastMoment = 8.64e15;

/** Text that is the greater the earlier the moment: lists give the greatest first. All of 16 digits. */
function urgencyOf(milliseconds: number): string {
  return String(lastMoment - milliseconds);
}

/** The part of a list whose deadline is past. `now`: milliseconds since 1970. */
export function overdue(now: number): Pick<ListQuery, 'from'> {
  return { from: urgencyOf(now) };
}

/** The place of a document in lists, for keyset paging. */
export function placeOf(document: StoredDocument): ListQuery['after'] {
  const { urgency } = fieldsOf(document.key, itemOf(document)).single;
  return typeof urgency === 'string' ? { order: urgency, key: document.key } : undefined;
}

export function itemOf({ sections }: StoredDocument): AgendaItem {
  return sections['fulfilment'] as AgendaItem;
}

export interface AgendaMeans {
  readonly readStore: Pick<ReadStore, 'declare' | 'load' | 'commit' | 'list'>;
  readonly clock: Clock;
}

interface Entry {
  readonly revision: number;
  readonly item: AgendaItem;
}

/** Fulfilments of which is remembered up to which revision they are written. */
const remembered = 20_000;
/** Rounds in which other writers may win. */
const mostConflicts = 10;

/** What a process manager writes of its fulfilments, and by which it finds those that are due. */
export class Agenda {
  readonly #means: AgendaMeans;
  /** Partition → order → what is to be written. */
  readonly #noted = new Map<number, Map<string, Entry>>();
  /** Order → revision that the store has, as far as is known. */
  readonly #written = new LRUCache<string, number>({ max: remembered });
  /** Partition → where the last answer to `due` ended. */
  readonly #asked = new Map<number, ListQuery['after']>();

  constructor(means: AgendaMeans) {
    this.#means = means;
  }

  /** Keeps in mind how a fulfilment stands, until `flush`. Earlier than what is known is silence. */
  note({ orderId, revision, state, deadline, dueAt, since }: AgendaNote): void {
    const partition = partitionOf(orderId);
    const noted = this.#noted.get(partition) ?? new Map<string, Entry>();
    this.#noted.set(partition, noted);
    const known = noted.get(orderId)?.revision ?? this.#written.get(orderId) ?? noStream;
    if (revision > known) noted.set(orderId, { revision, item: { state, deadline, dueAt, since } });
  }

  /**
   * Writes what was noted of a partition. Call it before the consumer's position moves behind what was noted: what is
   * not written when it rejects stays noted.
   */
  async flush(partition: number): Promise<void> {
    const noted = this.#noted.get(partition);
    if (noted === undefined || noted.size === 0) return;
    await this.#means.readStore.declare(agenda);
    const entries = new Map(noted);
    let pending: readonly string[] = [...entries.keys()];
    for (let round = 0; pending.length > 0; round += 1) {
      if (round > mostConflicts) throw new Unavailable('read store', 'Other process managers kept winning.');
      pending = await this.#write(partition, pending, entries);
    }
    for (const [orderId, entry] of entries) if (noted.get(orderId) === entry) noted.delete(orderId);
  }

  /** Forgets what was noted of a partition that another works on now. */
  forget(partition: number): void {
    this.#noted.delete(partition);
    this.#asked.delete(partition);
  }

  /**
   * Orders of a partition whose deadline is past, as of the last flush, those first that are so for longest; at most
   * `limit`. Asked again, it goes on with those that come next, and begins again when there were fewer than that: so
   * those that stay due keep no others from their turn. `now`: milliseconds since 1970.
   */
  async due(partition: number, now: number, limit: number): Promise<readonly string[]> {
    const { readStore } = this.#means;
    await readStore.declare(agenda);
    const after = this.#asked.get(partition);
    const query = { equal: { partition: String(partition) }, ...overdue(now), limit };
    const found = await readStore.list(agenda, { ...query, ...(after !== undefined && { after }) });
    this.#asked.set(partition, found.length < limit ? undefined : placeOf(found.at(-1)!));
    return found.map(({ key }) => key);
  }

  /** Writes those that the store is behind of; answers with those of which it held something else than was known. */
  async #write(
    partition: number,
    orderIds: readonly string[],
    entries: ReadonlyMap<string, Entry>,
  ): Promise<readonly string[]> {
    const { readStore, clock } = this.#means;
    const projectedAt = timestamp(clock);
    const writes: DocumentWrite[] = [];
    for (const key of orderIds) {
      const { revision, item } = entries.get(key)!;
      const written = this.#written.get(key);
      if (written !== undefined && written >= revision) continue;
      writes.push({
        key,
        // One of which nothing is known is taken for new, as most are.
        expected: written === undefined ? undefined : { fulfilment: written },
        revisions: { fulfilment: revision },
        sections: { fulfilment: item },
        fields: fieldsOf(key, item),
        projectedAt,
      });
    }
    if (writes.length === 0) return [];
    const conflicts = await readStore.commit({ collection: agenda, partition, writes, position: beginning });
    for (const { key, revisions } of writes) this.#written.set(key, revisionOf(revisions));
    if (conflicts.length === 0) return [];
    for (const key of conflicts) this.#written.delete(key);
    for (const { key, revisions } of await readStore.load(agenda, conflicts)) {
      this.#written.set(key, revisionOf(revisions));
    }
    return conflicts;
  }
}

function revisionOf({ fulfilment = noStream }: StoredDocument['revisions']): number {
  return fulfilment;
}
