import { setImmediate as endOfTurn } from 'node:timers/promises';
import { StreamCut } from '@waybill/shared-kernel/errors.js';
import {
  beginning,
  type StreamMark,
  type StreamReader,
  type LogPages,
  type LogHead,
} from '@waybill/shared-kernel/ports/event-store.js';
import type {
  CutStream,
  Sum,
  WrongSum,
  CollectionCheckpoints,
  AuditableDocuments,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { readLogTo } from '@waybill/shared-kernel/read-stream.js';
import { faultsOf } from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { bucketCount, bucketOf } from '../replay/bucket.js';
import { cutIn, DocumentFold, firstPosition, type FoldedDocument } from './document-fold.js';
import { SpillFile } from '../replay/spill-file.js';
import { auditedStored, type AuditedDocument, type AuditedProjection } from './audited-document.js';
import type { Difference } from './difference.js';
import { DocumentTrial } from './document-trial.js';

export interface AuditDependencies {
  readonly store: StreamReader & LogPages & LogHead;
  readonly readStore: CollectionCheckpoints & AuditableDocuments;
}

export interface AuditOptions {
  /** Documents of each read model that are held in memory at once; the rest waits on disk. */
  readonly capacity?: number;
  /** Called with the position that was reached in the log, page by page. */
  readonly onProgress?: (position: number, head: number) => void;
  /** Ends it early: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ComparisonOptions extends AuditOptions {
  /**
   * Documents of a read model whose differences are explained, each by reading its streams again. Of those after them
   * one is reported as a whole where the log is at hand for it, without naming an event. By default all of them.
   */
  readonly explained?: number;
}

export interface Comparison {
  /** Events in the log. */
  readonly events: number;
  /** Documents in each of the read models. */
  readonly documents: readonly number[];
  /** The keys of those in each that are quarantined: compared with the log before their events that cannot be applied. */
  readonly quarantined: readonly (readonly string[])[];
  /** Those in each of which events are gone from the event store: not compared. */
  readonly cut: readonly (readonly CutDocument[])[];
  /** Events that cannot be read. Documents that hold what they said before are not compared. */
  readonly unreadable: readonly UnreadableEvent[];
}

/** A document that says more than the log does, as events of a stream of it are gone. */
export interface CutDocument extends CutStream {
  readonly key: string;
}

export interface UnreadableEvent {
  readonly stream: string;
  readonly revision: number;
  readonly position: string;
  /** Why, as the end of a sentence. */
  readonly detail: string;
}

export interface AuditReport {
  /** There is no difference, nothing was cut, and everything could be read. */
  readonly ok: boolean;
  /** Events in the log. */
  readonly events: number;
  /** Documents in the read models. */
  readonly documents: number;
  readonly differences: readonly Difference[];
  /** Documents that wait for an event to be mended: no differences. */
  readonly quarantined: readonly { readonly projection: string; readonly key: string }[];
  /** Documents of which events are gone from the event store, so that nobody can compare them. */
  readonly cut: readonly (CutDocument & { readonly projection: string })[];
  readonly unreadable: readonly UnreadableEvent[];
}

const pageSize = 1000;

/** One read model with what is compared of it. */
interface Audited {
  readonly projection: AuditedProjection;
  readonly fold: DocumentFold;
  /** Its documents as lines of `[key, document]`, in the buckets of their keys. */
  readonly stored: SpillFile;
  /** Per partition: everything up to here was applied before its documents were read. */
  readonly positions: readonly number[];
}

/** `failedAt`: position of the event before which a quarantined document stands still. */
type StoredLine = readonly [key: string, document: AuditedDocument, failedAt: number | null];

/** What is found beside differences. */
interface Findings {
  readonly quarantined: string[];
  /** By key. */
  readonly cut: Map<string, CutStream>;
}

/**
 * Replays the log and compares with it every document of the read models, each at its own revisions, so lag is no
 * difference; but what a partition says it has applied must be there. Works beside whoever goes on writing: documents
 * are read first and the log then, so the log is never behind them. Reads each once, and in bounded memory. The sums of
 * a read model are held to its documents.
 */
export async function verifyReadModels(
  projections: readonly AuditedProjection[],
  dependencies: AuditDependencies,
  options?: AuditOptions,
): Promise<AuditReport> {
  const differences: Difference[] = [];
  const { events, documents, quarantined, cut, unreadable } = await compareWithLog(
    projections,
    dependencies,
    (difference) => differences.push(difference),
    options,
  );
  const all = documents.reduce((sum, count) => sum + count, 0);
  const names = projections.map(({ collection: { name } }) => name);
  return {
    ok: differences.length === 0 && cut.every(({ length }) => length === 0) && unreadable.length === 0,
    events,
    documents: all,
    differences,
    quarantined: names.flatMap((projection, index) => quarantined[index]!.map((key) => ({ projection, key }))),
    cut: names.flatMap((projection, index) => cut[index]!.map((document) => ({ projection, ...document }))),
    unreadable,
  };
}

/** As `verifyReadModels`, but tells each difference as it is found, with the index of its read model. */
export async function compareWithLog(
  projections: readonly AuditedProjection[],
  dependencies: AuditDependencies,
  tell: (difference: Difference, index: number) => void,
  { capacity, onProgress, explained = Infinity, signal }: ComparisonOptions = {},
): Promise<Comparison> {
  const audited: Audited[] = [];
  try {
    const documents: number[] = [];
    const findings: Findings[] = [];
    for (const projection of projections) {
      const stored = new SpillFile(bucketCount);
      const applied = await dependencies.readStore.positions(projection.positionsOf ?? projection.collection);
      const positions = applied.map(({ through }) => through);
      audited.push({ projection, fold: new DocumentFold(projection, capacity), stored, positions });
      const found: Findings = { quarantined: [], cut: new Map() };
      documents.push(await readDocuments(projection, dependencies.readStore, stored, found, signal));
      findings.push(found);
    }
    const { events, marks } = await foldLog(audited, dependencies.store, onProgress, signal);
    const faults = (await faultsOf(dependencies.store, marks)).filter((fault) => fault instanceof StreamCut);
    const gone = new Map(faults.map(({ stream, firstRevision = null }) => [stream, { stream, firstRevision }]));
    const unreadable = marks.flatMap(({ stream, revision, position, why, detail }) =>
      why === 'unreadable' && revision !== undefined ? [{ stream, revision, position: String(position), detail }] : [],
    );
    const firstUnreadable = new Map(unreadable.toReversed().map(({ stream, revision }) => [stream, revision]));
    for (const [index, each] of audited.entries()) {
      const { cut } = findings[index]!;
      for await (const difference of compare(
        each,
        { cut, gone, unreadable: firstUnreadable },
        dependencies.store,
        explained,
        signal,
      ))
        tell(difference, index);
      for (const wrong of await dependencies.readStore.wrongSums(each.projection.collection)) {
        tell(differenceOf(each.projection, wrong), index);
      }
    }
    return {
      events,
      documents,
      quarantined: findings.map(({ quarantined }) => quarantined),
      cut: findings.map(({ cut }) => Array.from(cut, ([key, stream]) => ({ key, ...stream }))),
      unreadable,
    };
  } finally {
    for (const { fold, stored } of audited) {
      fold.close();
      stored.close();
    }
  }
}

/** A sum that is not that of the documents, which are held to the log themselves. */
function differenceOf({ collection }: Projection, { owner, day, unit, name, kept, counted }: WrongSum): Difference {
  const shown = ({ count, total }: Sum) => ({ count, total: String(total) });
  return {
    projection: collection.name,
    key: owner === '' ? day : `${owner} ${day}`,
    path: `/sums/${name}/${unit}`,
    expected: shown(counted),
    actual: shown(kept),
    divergedAt: null,
  };
}

/** Lets others have their turn of the event loop: this may run in the process that serves. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await endOfTurn();
  signal?.throwIfAborted();
}

async function readDocuments(
  { collection }: Projection,
  readStore: AuditableDocuments,
  stored: SpillFile,
  { quarantined, cut }: Findings,
  signal: AbortSignal | undefined,
): Promise<number> {
  let documents = 0;
  for (let after: string | undefined; ;) {
    await breathe(signal);
    const page = await readStore.scan(collection, after, pageSize);
    for (const document of page) {
      const { key, degraded } = document;
      const line: StoredLine = [key, auditedStored(document), degraded?.event?.position ?? null];
      stored.write(bucketOf(key), JSON.stringify(line));
      if (degraded?.cut !== undefined) cut.set(key, degraded.cut);
      else if (degraded !== undefined) quarantined.push(key);
    }
    documents += page.length;
    if (page.length < pageSize) return documents;
    after = page.at(-1)!.key;
  }
}

async function foldLog(
  audited: readonly Audited[],
  store: AuditDependencies['store'],
  onProgress: AuditOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<{ readonly events: number; readonly marks: readonly StreamMark[] }> {
  const head = await store.head();
  let events = 0;
  const marks: StreamMark[] = [];
  for await (const page of readLogTo(store, beginning, head, pageSize)) {
    for (const event of page.events) for (const { fold } of audited) fold.add(event);
    events += page.events.length;
    marks.push(...page.marks);
    onProgress?.(page.through, head);
    await breathe(signal);
  }
  return { events, marks };
}

/** What cannot be compared, or not all of it. */
interface Doubted {
  /** Documents of which events are gone, by key; more are added as they are met. */
  readonly cut: Map<string, CutStream>;
  /** Streams of which events are gone, by name. */
  readonly gone: ReadonlyMap<string, CutStream>;
  /** Stream → revision of its first event that cannot be read. */
  readonly unreadable: ReadonlyMap<string, number>;
}

/** Whether events of a document are gone: of a stream of it that the log says was cut, or that does not go on where it should. */
function isCut(
  projection: AuditedProjection,
  key: string,
  folded: FoldedDocument | undefined,
  doubted: Doubted,
): boolean {
  const { cut, gone, unreadable } = doubted;
  if (cut.has(key)) return true;
  const named = gone.size === 0 ? undefined : projection.streams(key).find((stream) => gone.has(stream));
  const found = named === undefined ? folded && cutIn(projection, folded) : gone.get(named);
  if (found === undefined || (named === undefined && unreadable.has(found.stream))) return false;
  cut.set(key, found);
  return true;
}

/**
 * Whether a document has folded an event that cannot be read any more, so that nobody can say what it ought to be; or is
 * not there, as one that its streams have cannot be read. `unreadable`: stream → revision of its first such event.
 */
function holdsUnreadable(
  { streams }: Projection,
  key: string,
  document: AuditedDocument | undefined,
  unreadable: ReadonlyMap<string, number>,
): boolean {
  return streams(key).some((stream) => {
    const first = unreadable.get(stream);
    return first !== undefined && (document === undefined || first <= (document.revisions[categoryOf(stream)!] ?? -1));
  });
}

async function* compare(
  { projection, fold, stored, positions }: Audited,
  doubted: Doubted,
  store: AuditDependencies['store'],
  explained: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Difference, void, undefined> {
  const { name } = projection.collection;
  let bucket = 0;
  let differing = 0;
  for (const folded of fold.buckets()) {
    await breathe(signal);
    const lines = stored.read(bucket).map((line) => JSON.parse(line) as StoredLine);
    const found = new Map(lines.map(([key, ...line]) => [key, line]));
    for (const [key, document] of folded) {
      const [actual, failedAt] = found.get(key) ?? [];
      if (isCut(projection, key, document, doubted) || holdsUnreadable(projection, key, actual, doubted.unreadable)) {
        found.delete(key);
        continue;
      }
      const trial = new DocumentTrial(projection, key, document, store);
      const appliedUpTo = Math.min(positions[document.partition] ?? beginning, (failedAt ?? Infinity) - 1);
      found.delete(key);
      if (actual === undefined) {
        if (firstPosition(document) <= appliedUpTo) yield trial.missing();
      } else if (!trial.agrees(actual)) {
        if (differing >= explained && trial.isOfTheSameAge(actual)) yield trial.unexplained(actual);
        else {
          const differences = await trial.judge(actual, appliedUpTo);
          if (differences.length > 0) differing += 1;
          yield* differences;
        }
      }
    }
    for (const [key, [actual]] of found) {
      // One that was emptied, because the log knows nothing of it, says nothing; one of which all is gone says what it said.
      if (isCut(projection, key, undefined, doubted) || Object.keys(actual.revisions).length === 0) continue;
      if (holdsUnreadable(projection, key, actual, doubted.unreadable)) continue;
      yield { projection: name, key, path: '', expected: null, actual, divergedAt: null };
    }
    bucket += 1;
  }
}
