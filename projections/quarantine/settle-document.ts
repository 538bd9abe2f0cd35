import { DocumentNotStorable, EventFromTheFuture, Unavailable } from '@waybill/shared-kernel/errors.js';
import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp, type Clock } from '@waybill/shared-kernel/ports/clock.js';
import { beginning, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type {
  Degraded,
  DocumentWrite,
  Fields,
  ReadStore,
  StoredDocument,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions } from '@waybill/shared-kernel/projection.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/quarantine-notice.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { toldError } from '@waybill/shared-kernel/told-error.js';
import { CannotApply, foldRecorded, inCategoryOrder, type Draft, type Folded } from '../fold-document.js';

export interface SettleMeans {
  readonly readStore: Pick<ReadStore, 'load' | 'commit'>;
  readonly store: Pick<EventStore, 'readStream'>;
  readonly clock: Clock;
  /** Told of each document that is quarantined. */
  readonly quarantined?: ReportQuarantine | undefined;
}

/** A document of a projection. */
export interface DocumentName {
  readonly projection: Projection;
  readonly key: string;
  readonly partition: number;
}

/** An event behind which a document cannot go, and what went wrong with it. */
interface Obstacle {
  readonly event: RecordedEvent;
  readonly error: unknown;
}

/** A document as far as it can be folded. */
interface Settled extends Folded {
  readonly fields: Fields;
  readonly obstacle?: Obstacle;
  /** How many events were folded into it. */
  readonly applied: number;
}

type Outcome = Pick<DocumentWrite, 'revisions' | 'sections' | 'fields' | 'degraded'>;

/** Rounds in which other writers may win. */
const mostConflicts = 10;

const nothing: Folded = { revisions: {}, sections: {} };

/**
 * Settles a document that cannot be written as it is: takes what the read store has of it, folds on from there as far
 * as that can be done, event by event in the order of the log, and writes that. Where an event stands in the way, the
 * document is quarantined before it; one that is quarantined already stays as it is. Answers with what stands now.
 *
 * `known`: streams of the document, each with a revision that the log must show; else `Unavailable`, to be tried again.
 */
export async function settleDocument(
  name: DocumentName,
  known: ReadonlyMap<string, number>,
  means: SettleMeans,
): Promise<StoredDocument | undefined> {
  const { projection, key } = name;
  for (let round = 0; round <= mostConflicts; round += 1) {
    const [stored] = await means.readStore.load(projection.collection, [key]);
    if (stored?.degraded !== undefined) return stored;
    const events = await readStreams(projection, new Set([...projection.streams(key), ...known.keys()]), means);
    requireShown(events, known);
    const from = stored !== undefined && fieldsOf(projection, stored) !== undefined ? stored : nothing;
    const missing = events.filter((event) => event.revision > (lastOf(from, event) ?? -1));
    if (missing.length === 0) return stored;
    const written = await writeAsFar(name, stored, from, missing, means, ({ obstacle, ...settled }) =>
      obstacle === undefined ? settled : { ...settled, degraded: noted(undefined, obstacle, events, means.clock) },
    );
    if (written === undefined) continue;
    if (written.degraded !== undefined) tell(projection, key, written.degraded, means);
    return written;
  }
  throw new Unavailable('read store', 'Other projectors kept winning.');
}

/**
 * Folds a quarantined document again, from its beginning in the log, and writes it conditionally on all that was read
 * of it, what waits included. A projector that passed an event by meanwhile is met as a conflict, and it is folded once
 * more; one that passes an event by afterwards meets a conflict itself, and takes the document as it is then. So no
 * event is lost and none is in it twice. Where it fails again, it stays at its last good state with the newer error.
 * Answers with what stands now, `undefined` where it was not quarantined.
 */
export async function releaseDocument(
  projection: Projection,
  key: string,
  means: SettleMeans,
): Promise<StoredDocument | undefined> {
  for (let round = 0; round <= mostConflicts; round += 1) {
    const [stored] = await means.readStore.load(projection.collection, [key]);
    if (stored?.degraded === undefined) return undefined;
    const { partition, revisions, sections, degraded } = stored;
    const events = await readStreams(projection, new Set([...projection.streams(key), degraded.event.stream]), means);
    const name = { projection, key, partition };
    const written = await writeAsFar(name, stored, nothing, events, means, ({ obstacle, ...settled }) => {
      if (obstacle === undefined) return settled;
      const again = noted(degraded, obstacle, events, means.clock);
      const fields = fieldsOf(projection, stored);
      if (fields === undefined || reaches(settled.revisions, revisions)) return { ...settled, degraded: again };
      // What another program could fold stays in it.
      return { revisions, sections, fields, degraded: again };
    });
    if (written !== undefined) return written;
  }
  throw new Unavailable('read store', 'Projectors kept winning.');
}

function tell(
  { collection }: Projection,
  key: string,
  { event: { id, stream, type }, error }: Degraded,
  { quarantined }: SettleMeans,
): void {
  quarantined?.({ projection: collection.name, key, event: { id, stream, type }, error });
}

function lastOf({ revisions }: Folded, { stream }: RecordedEvent): number | undefined {
  return revisions[categoryOf(stream)!];
}

/** `undefined`: another program wrote this, and this one cannot make anything of it. */
function fieldsOf(projection: Projection, { sections }: Folded): Fields | undefined {
  try {
    return projection.fields(sections);
  } catch {
    return undefined;
  }
}

/** What the log has of these streams, in its order, up to the first event that is for a newer program. */
async function readStreams(
  { categories }: Projection,
  streams: ReadonlySet<string>,
  { store }: SettleMeans,
): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (const stream of streams) {
    if (!categories.includes(categoryOf(stream)!)) continue;
    for await (const event of readWholeStream(store, stream)) events.push(event);
  }
  events.sort((one, other) => one.position - other.position);
  const future = events.findIndex(isFuture);
  return future === -1 ? events : events.slice(0, future);
}

function isFuture(event: RecordedEvent): boolean {
  try {
    refuseFuture(event);
    return false;
  } catch (error) {
    if (error instanceof EventFromTheFuture) return true;
    throw error;
  }
}

function requireShown(events: readonly RecordedEvent[], known: ReadonlyMap<string, number>): void {
  for (const [stream, revision] of known) {
    if (events.some((event) => event.stream === stream && event.revision >= revision)) continue;
    throw new Unavailable('event store', `The log does not show revision ${revision} of ${stream} yet.`);
  }
}

/**
 * Folds the events onto `from` as far as that can be done and the read store takes it, and writes what `outcome` makes
 * of that, conditionally on `stored`. `undefined`: another has written it meanwhile.
 */
async function writeAsFar(
  { projection, key, partition }: DocumentName,
  stored: StoredDocument | undefined,
  from: Folded,
  events: readonly RecordedEvent[],
  means: SettleMeans,
  outcome: (settled: Settled) => Outcome,
): Promise<StoredDocument | undefined> {
  for (let settled = foldAsFar(projection, from, events); ;) {
    const made = outcome(settled);
    const { revisions, sections, fields, degraded } = made;
    const document = {
      key,
      revisions,
      sections,
      projectedAt: timestamp(means.clock),
      ...(degraded !== undefined && { degraded }),
    };
    const write: DocumentWrite = {
      ...document,
      fields,
      expected: stored?.revisions,
      ...(stored?.degraded !== undefined && { expectedDegraded: stored.degraded }),
    };
    try {
      // Whatever the partition has applied, it has applied no more by this.
      const batch = { collection: projection.collection, partition, writes: [write], position: beginning };
      const conflicts = await means.readStore.commit(batch);
      return conflicts.length === 0 ? { ...document, partition } : undefined;
    } catch (error) {
      if (!(error instanceof DocumentNotStorable) || settled.applied === 0) throw error;
      const last = settled.applied - 1;
      settled = { ...foldAsFar(projection, from, events.slice(0, last)), obstacle: { event: events[last]!, error } };
    }
  }
}

function foldAsFar(projection: Projection, from: Folded, events: readonly RecordedEvent[]): Settled {
  const draft: Draft = { revisions: { ...from.revisions }, sections: { ...from.sections } };
  let settled: Settled = {
    ...inCategoryOrder(projection, draft),
    fields: projection.fields(from.sections),
    applied: 0,
  };
  for (const event of events) {
    try {
      foldRecorded(projection, draft, categoryOf(event.stream)!, event);
      const folded = inCategoryOrder(projection, draft);
      settled = { ...folded, fields: projection.fields(folded.sections), applied: settled.applied + 1 };
    } catch (error) {
      return { ...settled, obstacle: { event, error: error instanceof CannotApply ? error.cause : error } };
    }
  }
  return settled;
}

function noted(
  before: Degraded | undefined,
  { event, error }: Obstacle,
  events: readonly RecordedEvent[],
  clock: Clock,
): Degraded {
  const { id, stream, revision, position, type } = event;
  const now = timestamp(clock);
  const seen: { [section in Category]?: number } = { ...before?.seen };
  for (const each of events) {
    const category = categoryOf(each.stream)!;
    seen[category] = Math.max(seen[category] ?? -1, each.revision);
  }
  return {
    since: before?.since ?? now,
    triedAt: now,
    error: toldError(error),
    event: { id, stream, revision, position, type },
    seen,
  };
}

/** Whether a document at `revisions` holds all that one at `others` does. */
function reaches(revisions: Revisions, others: Readonly<Record<string, number>>): boolean {
  return Object.entries(others).every(([section, other]) => (revisions[section as Category] ?? -1) >= other);
}
