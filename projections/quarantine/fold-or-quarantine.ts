import { DocumentNotStorable, EventFromTheFuture, StreamCut, Unavailable } from '@waybill/shared-kernel/errors.js';
import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import { logBeginning } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import {
  troubledStream,
  type Degraded,
  type DegradedBy,
  type DocumentWrite,
  type Fields,
  type StoredDocument,
  type DocumentStore,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import {
  degradedByFault,
  faultOfStream,
  isStreamFault,
  whatCanBeRead,
  whyNotShown,
  type StreamFault,
} from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { describeError } from '@waybill/shared-kernel/describe-error.js';
import {
  CannotApply,
  fieldsOf,
  foldRecorded,
  inCategoryOrder,
  reaches,
  type Draft,
  type Folded,
} from '../read-models/fold-document.js';

export interface FoldOrQuarantineDependencies {
  readonly readStore: DocumentStore;
  readonly store: StreamReader;
  readonly clock: WallClock;
  /** Called with each document that is quarantined. */
  readonly quarantined?: ReportQuarantine | undefined;
}

/** A document of a projection. */
export interface DocumentName {
  readonly projection: Projection;
  readonly key: string;
  readonly partition: number;
}

/** An event that a document cannot be folded past, and the fault. */
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

type SettledDocument = Pick<DocumentWrite, 'revisions' | 'sections' | 'fields' | 'degraded'>;

/** How many write conflicts are met before it gives up. */
const mostConflicts = 10;

const nothing: Folded = { revisions: {}, sections: {} };

/**
 * Writes a document that could not be written with its batch. It reads the stored document, folds on from there as far
 * as possible, event by event in the order of the log, and writes the result. If an event cannot be applied, or a
 * stream cannot be read whole, the document is quarantined at that point; one that is quarantined already stays as it
 * is. Answers with the document as it is now.
 *
 * `known`: streams of the document, each with a revision that the log must show; else `Unavailable`, to be tried again.
 * `doubted`: a stream that is known not to be readable whole.
 */
export async function foldOrQuarantine(
  name: DocumentName,
  known: ReadonlyMap<string, number>,
  dependencies: FoldOrQuarantineDependencies,
  doubted?: StreamFault,
): Promise<StoredDocument | undefined> {
  const { projection, key } = name;
  for (let round = 0; round <= mostConflicts; round += 1) {
    const [stored] = await dependencies.readStore.load(projection.collection, [key]);
    if (stored?.degraded !== undefined) return stored;
    const from = stored !== undefined && fieldsOf(projection, stored) !== undefined ? stored : nothing;
    const streams = new Set([...projection.streams(key), ...known.keys()]);
    const { events, fault = doubted } = await readStreams(projection, streams, from, dependencies);
    const trouble = fault ?? (await missingOf(events, from, known, dependencies));
    if (events.length === 0 && (trouble === undefined || isOfNothing(projection, stored, known, trouble)))
      return stored;
    const written = await writeAsFar(name, stored, from, events, dependencies, ({ obstacle, ...settled }) => {
      const met = obstacle ?? trouble;
      return met === undefined ? settled : { ...settled, degraded: noted(undefined, met, events, dependencies.clock) };
    });
    if (written === undefined) continue;
    if (written.degraded !== undefined) tellQuarantine(projection, key, written.degraded, dependencies);
    return written;
  }
  throw new Unavailable('read store', 'There were too many conflicts with other projectors.');
}

/**
 * Releases a quarantined document: folds it again from its beginning in the log, and writes it on condition of
 * everything that was read of it, its waiting events included. If a projector noted another event meanwhile, that is a
 * conflict, and it is folded again; a projector that notes one afterwards meets a conflict itself, and reads the new
 * document. So no event is lost or applied twice. If it fails again, the document stays at its last good state, with
 * the newer error. Answers with the document as it is now; `undefined`: it was not quarantined. Rejects with
 * `Unavailable` while the log does not show all that was seen of it.
 */
export async function releaseDocument(
  projection: Projection,
  key: string,
  dependencies: FoldOrQuarantineDependencies,
): Promise<StoredDocument | undefined> {
  for (let round = 0; round <= mostConflicts; round += 1) {
    const [stored] = await dependencies.readStore.load(projection.collection, [key]);
    if (stored?.degraded === undefined) return undefined;
    const { partition, revisions, sections, degraded } = stored;
    const troubled = troubledStream(degraded);
    // A section is of one stream, which need not be the one that is named after the key.
    const others = projection.streams(key).filter((stream) => categoryOf(stream) !== categoryOf(troubled));
    const streams = new Set([...others, troubled]);
    const { events, fault } = await readStreams(projection, streams, nothing, dependencies);
    // Of what was applied or passed by none may be left out: it would not come again.
    const trouble =
      fault ??
      (await missingOf(events, nothing, seenIn(stored, streams), dependencies)) ??
      (await stillCut(degraded, dependencies));
    const name = { projection, key, partition };
    const written = await writeAsFar(name, stored, nothing, events, dependencies, ({ obstacle, ...settled }) => {
      const met = obstacle ?? trouble;
      if (met === undefined) return settled;
      const again = noted(degraded, met, events, dependencies.clock);
      const fields = fieldsOf(projection, stored);
      if (fields === undefined || reaches(settled.revisions, revisions)) return { ...settled, degraded: again };
      // What another program could fold stays in it.
      return { revisions, sections, fields, degraded: again };
    });
    if (written !== undefined) return written;
  }
  throw new Unavailable('read store', 'There were too many conflicts with projectors.');
}

/** Says that a document was quarantined. */
export function tellQuarantine(
  { collection }: Projection,
  key: string,
  { event, cut, error }: Degraded,
  { quarantined }: Pick<FoldOrQuarantineDependencies, 'quarantined'>,
): void {
  const { id, stream, type } = event ?? { ...cut, id: '', type: '' };
  quarantined?.({ projection: collection.name, key, event: { id, stream, type }, error });
}

/** What the log has of these streams. */
interface Found {
  /** In its order, up to the first event that is for a newer program. */
  readonly events: readonly RecordedEvent[];
  /** Of a stream that was read as far as it can be. */
  readonly fault?: StreamFault;
}

/** What the log has of these streams behind what is folded already. */
async function readStreams(
  { categories }: Projection,
  streams: ReadonlySet<string>,
  { revisions }: Folded,
  { store }: FoldOrQuarantineDependencies,
): Promise<Found> {
  const events: RecordedEvent[] = [];
  let fault: StreamFault | undefined;
  for (const stream of streams) {
    const category = categoryOf(stream)!;
    if (!categories.includes(category)) continue;
    const found = await whatCanBeRead(store, stream, (revisions[category] ?? -1) + 1);
    events.push(...found.events);
    fault ??= found.fault;
  }
  events.sort((one, other) => one.position - other.position);
  const future = events.findIndex(isFuture);
  const known = future === -1 ? events : events.slice(0, future);
  return { events: known, ...(fault !== undefined && { fault }) };
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

/**
 * Where there is no document, and no event was seen with which one begins, none is made to say so: not for a stream that begins
 * none, nor for one of which nothing is left, for it may be another program's.
 */
function isOfNothing(
  { categories }: Projection,
  stored: StoredDocument | undefined,
  known: ReadonlyMap<string, number>,
  fault: StreamFault,
): boolean {
  const begins = (stream: string) => categoryOf(stream) === categories[0];
  if (stored !== undefined || [...known.keys()].some(begins)) return false;
  const isGone = fault instanceof StreamCut && fault.firstRevision === undefined;
  return !begins(fault.stream) || isGone;
}

/** Why a stream does not show what is known of it, where it never will; throws `Unavailable` where it will. */
async function missingOf(
  events: readonly RecordedEvent[],
  { revisions }: Folded,
  known: ReadonlyMap<string, number>,
  { store }: FoldOrQuarantineDependencies,
): Promise<StreamFault | undefined> {
  for (const [stream, revision] of known) {
    if ((revisions[categoryOf(stream)!] ?? -1) >= revision) continue;
    if (events.some((event) => event.stream === stream && event.revision >= revision)) continue;
    const why = await whyNotShown(store, stream, revision);
    if (!isStreamFault(why)) throw why;
    return why;
  }
  return undefined;
}

/** A stream of which the document never had anything still tells that it was cut. */
async function stillCut({ cut }: Degraded, { store }: FoldOrQuarantineDependencies): Promise<StreamFault | undefined> {
  return cut === undefined ? undefined : faultOfStream(store, cut.stream);
}

/** Streams of a document whose name says which they are, each with the last revision that it has met. */
function seenIn(
  { revisions, degraded }: Pick<StoredDocument, 'revisions' | 'degraded'>,
  streams: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const seen = new Map<string, number>();
  for (const stream of streams) {
    const category = categoryOf(stream)!;
    const last = Math.max(revisions[category] ?? -1, degraded?.seen[category] ?? -1);
    if (last >= 0) seen.set(stream, last);
  }
  return seen;
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
  dependencies: FoldOrQuarantineDependencies,
  outcome: (settled: Settled) => SettledDocument,
): Promise<StoredDocument | undefined> {
  for (let settled = foldAsFar(projection, from, events); ;) {
    const made = outcome(settled);
    const { revisions, sections, fields, degraded } = made;
    const document = {
      key,
      revisions,
      sections,
      projectedAt: timestamp(dependencies.clock),
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
      const batch = { collection: projection.collection, partition, writes: [write], position: logBeginning };
      const conflicts = await dependencies.readStore.commit(batch);
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
  met: Obstacle | StreamFault,
  events: readonly RecordedEvent[],
  clock: WallClock,
): Degraded {
  const now = timestamp(clock);
  const seen: { [section in Category]?: number } = { ...before?.seen };
  for (const each of events) {
    const category = categoryOf(each.stream)!;
    seen[category] = Math.max(seen[category] ?? -1, each.revision);
  }
  return {
    since: before?.since ?? now,
    triedAt: now,
    error: describeError(isStreamFault(met) ? met : met.error),
    ...degradedBy(met),
    seen,
  };
}

function degradedBy(met: Obstacle | StreamFault): DegradedBy {
  if (isStreamFault(met)) return degradedByFault(met);
  const { id, stream, revision, position, type } = met.event;
  return { event: { id, stream, revision, position, type } };
}
