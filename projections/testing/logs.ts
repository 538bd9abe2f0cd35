import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { Fields, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { foldEvent, emptyDraft, inCategoryOrder, type Draft } from '../read-models/fold-document.js';
import type { Happening } from './history.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

/** Appends happenings to a log, one after the other. */
export async function appendAll(log: EventStore, happenings: readonly Happening[]): Promise<void> {
  for (const { stream, event } of happenings) {
    const [last] = await log.readStreamBackwards(stream, Infinity, 1);
    await log.append(stream, last?.revision ?? -1, [event]);
  }
}

/** What must be compared of a document: all but when it was projected. */
export interface Comparable {
  readonly key: string;
  /** As text: equal byte for byte. */
  readonly sections: string;
  readonly revisions: Readonly<Record<string, number>>;
  readonly single: Readonly<Record<string, unknown>>;
  readonly multiple: Readonly<Record<string, readonly string[]>>;
  /** What it adds to sums. */
  readonly shares: readonly string[];
}

/** The documents of a collection, by key. Throws where its sums are not theirs. */
export async function documentsOf(readStore: ReadStore, { collection }: Projection): Promise<readonly Comparable[]> {
  const wrong = await readStore.wrongSums(collection);
  if (wrong.length > 0) throw new Error(`${wrong.length} sums of ${collection.name} are not those of its documents`);
  const documents = await readStore.scan(collection, undefined, 10_000);
  return documents.map(({ key, sections, revisions, fields }) => comparable(key, sections, revisions, fields));
}

/** The documents that the log makes, folded straight. */
export async function straightFold(log: EventStore, projection: Projection): Promise<readonly Comparable[]> {
  return foldOf(await wholeLog(log), projection);
}

/** The documents that these events make, and empty ones of the keys of `empty`. */
export function foldOf(
  events: readonly RecordedEvent[],
  projection: Projection,
  empty: readonly string[] = [],
): readonly Comparable[] {
  const drafts = new Map<string, Draft>(empty.map((key) => [key, emptyDraft()]));
  for (const recorded of events) {
    if (!projection.categories.some((category) => recorded.stream.startsWith(`${category}-`))) continue;
    const event = upcast(recorded);
    const key = projection.key(event);
    const draft = drafts.get(key) ?? emptyDraft();
    foldEvent(projection, draft, event);
    drafts.set(key, draft);
  }
  return [...drafts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, draft]) => {
      const { sections, revisions } = inCategoryOrder(projection, draft);
      return comparable(key, sections, revisions, projection.fields(sections));
    });
}

function comparable(
  key: string,
  sections: object,
  revisions: Readonly<Record<string, number>>,
  { single, multiple, shares = [] }: Fields,
): Comparable {
  const sorted = Object.entries(sections).sort(([a], [b]) => (a < b ? -1 : 1));
  const sets = Object.entries(multiple).map(([field, values]) => [field, [...values].sort()] as const);
  const added = shares.map(({ owner, day, unit, name, amount }) => [owner, day, unit, name, amount].join(' ')).sort();
  return {
    key,
    sections: JSON.stringify(sorted),
    revisions,
    single,
    multiple: Object.fromEntries(sets),
    shares: added,
  };
}
