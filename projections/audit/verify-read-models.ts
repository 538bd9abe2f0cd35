import { setImmediate as endOfTurn } from 'node:timers/promises';
import { beginning, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { isQuarantined, type ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { bucketCount, bucketOf } from '../replay/bucket.js';
import { DocumentFold, firstPosition } from './document-fold.js';
import { SpillFile } from '../replay/spill-file.js';
import { auditedStored, type AuditedDocument } from './audited-document.js';
import type { Difference } from './difference.js';
import { DocumentTrial } from './document-trial.js';

export interface AuditMeans {
  readonly store: Pick<EventStore, 'readAll' | 'readStream' | 'head'>;
  readonly readStore: Pick<ReadStore, 'positions' | 'scan'>;
}

export interface AuditOptions {
  /** Documents of each read model that are held in memory at once; the rest waits on disk. */
  readonly capacity?: number;
  /** Told the position that was reached in the log, page by page. */
  readonly onProgress?: (position: number, head: number) => void;
  /** Ends it early: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ComparisonOptions extends AuditOptions {
  /**
   * Documents of a read model whose differences are explained, each by reading its streams again. Of those after them
   * one is told as a whole where the log is at hand for it, and blamed on no event. All of them unless told.
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
}

export interface AuditReport {
  /** There is no difference. */
  readonly ok: boolean;
  /** Events in the log. */
  readonly events: number;
  /** Documents in the read models. */
  readonly documents: number;
  readonly differences: readonly Difference[];
  /** Documents that wait for an event to be mended: no differences. */
  readonly quarantined: readonly { readonly projection: string; readonly key: string }[];
}

const pageSize = 1000;

/** One read model with what is compared of it. */
interface Audited {
  readonly projection: Projection;
  readonly fold: DocumentFold;
  /** Its documents as lines of `[key, document]`, in the buckets of their keys. */
  readonly stored: SpillFile;
  /** Per partition: everything up to here was applied before its documents were read. */
  readonly positions: readonly number[];
}

/** `failedAt`: position of the event before which a quarantined document stands still. */
type StoredLine = readonly [key: string, document: AuditedDocument, failedAt: number | null];

/**
 * Replays the log and compares with it every document of the read models, each at its own revisions, so lag is no
 * difference; but what a partition says it has applied must be there. Works beside whoever goes on writing: documents
 * are read first and the log then, so the log is never behind them. Reads each once, and in bounded memory.
 */
export async function verifyReadModels(
  projections: readonly Projection[],
  means: AuditMeans,
  options?: AuditOptions,
): Promise<AuditReport> {
  const differences: Difference[] = [];
  const { events, documents, quarantined } = await compareWithLog(
    projections,
    means,
    (difference) => differences.push(difference),
    options,
  );
  const all = documents.reduce((sum, count) => sum + count, 0);
  return {
    ok: differences.length === 0,
    events,
    documents: all,
    differences,
    quarantined: projections.flatMap(({ collection: { name } }, index) =>
      quarantined[index]!.map((key) => ({ projection: name, key })),
    ),
  };
}

/** As `verifyReadModels`, but tells each difference as it is found, with the index of its read model. */
export async function compareWithLog(
  projections: readonly Projection[],
  means: AuditMeans,
  tell: (difference: Difference, index: number) => void,
  { capacity, onProgress, explained = Infinity, signal }: ComparisonOptions = {},
): Promise<Comparison> {
  const audited: Audited[] = [];
  try {
    const documents: number[] = [];
    const quarantined: string[][] = [];
    for (const projection of projections) {
      const stored = new SpillFile(bucketCount);
      const positions = await means.readStore.positions(projection.collection);
      audited.push({ projection, fold: new DocumentFold(projection, capacity), stored, positions });
      const waiting: string[] = [];
      documents.push(await readDocuments(projection, means.readStore, stored, waiting, signal));
      quarantined.push(waiting);
    }
    const events = await foldLog(audited, means.store, onProgress, signal);
    for (const [index, each] of audited.entries()) {
      for await (const difference of compare(each, means.store, explained, signal)) tell(difference, index);
    }
    return { events, documents, quarantined };
  } finally {
    for (const { fold, stored } of audited) {
      fold.close();
      stored.close();
    }
  }
}

/** Lets others have their turn of the event loop: this may run in the process that serves. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await endOfTurn();
  signal?.throwIfAborted();
}

async function readDocuments(
  { collection }: Projection,
  readStore: Pick<ReadStore, 'scan'>,
  stored: SpillFile,
  waiting: string[],
  signal: AbortSignal | undefined,
): Promise<number> {
  let documents = 0;
  for (let after: string | undefined; ;) {
    await breathe(signal);
    const page = await readStore.scan(collection, after, pageSize);
    for (const document of page) {
      const line: StoredLine = [document.key, auditedStored(document), document.degraded?.event.position ?? null];
      stored.write(bucketOf(document.key), JSON.stringify(line));
      if (isQuarantined(document)) waiting.push(document.key);
    }
    documents += page.length;
    if (page.length < pageSize) return documents;
    after = page.at(-1)!.key;
  }
}

async function foldLog(
  audited: readonly Audited[],
  store: AuditMeans['store'],
  onProgress: AuditOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<number> {
  const head = await store.head();
  let events = 0;
  for await (const page of readLog(store, 0, head, pageSize)) {
    for (const event of page) for (const { fold } of audited) fold.add(event);
    events += page.length;
    onProgress?.(page.at(-1)!.position, head);
    await breathe(signal);
  }
  return events;
}

async function* compare(
  { projection, fold, stored, positions }: Audited,
  store: AuditMeans['store'],
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
      const trial = new DocumentTrial(projection, key, document, store);
      const [actual, failedAt] = found.get(key) ?? [];
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
      yield { projection: name, key, path: '', expected: null, actual, divergedAt: null };
    }
    bucket += 1;
  }
}
