import {
  isQuarantined,
  type CutStream,
  type QuarantinedDocument,
  type QuarantinedDocuments,
  type DocumentReader,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';

/** A quarantined document, as operators see it. Times are RFC 3339 UTC. */
export interface QuarantineEntry {
  readonly projection: string;
  readonly version: number;
  readonly key: string;
  readonly since: string;
  /** When it was last tried, and the fault. */
  readonly triedAt: string;
  readonly error: string;
  /** The event that could not be applied; id and type are empty where it could not even be read. */
  readonly event?: {
    readonly id: string;
    readonly stream: string;
    readonly revision: number;
    readonly position: string;
    readonly type: string;
  };
  /** Or the stream of which events are gone from the event store. */
  readonly cut?: CutStream;
  /** Events of it that are not in the document, the one that could not be applied among them. */
  readonly waiting: number;
}

const pageSize = 500;

/** Whose documents may be quarantined. */
type Keeper = Pick<Projection, 'collection'>;

export function entryOf(
  { collection: { name, version } }: Keeper,
  { key, revisions, degraded }: QuarantinedDocument,
): QuarantineEntry {
  const { since, triedAt, error, event, cut, seen } = degraded;
  const waiting = Object.entries(seen).reduce(
    (sum, [section, last]) => sum + Math.max(0, last - (revisions[section] ?? -1)),
    0,
  );
  const named = cut === undefined ? { event: { ...event, position: String(event.position) } } : { cut };
  return { projection: name, version, key, since, triedAt, error, ...named, waiting };
}

/** Whatever is quarantined in a read model, by key. */
export async function* quarantineOf(
  projection: Keeper,
  readStore: QuarantinedDocuments,
): AsyncGenerator<QuarantinedDocument, void, undefined> {
  for (let after: string | undefined; ;) {
    const page = await readStore.quarantined(projection.collection, after, pageSize);
    yield* page;
    if (page.length < pageSize) return;
    after = page.at(-1)!.key;
  }
}

/** How many documents of a read model are quarantined. */
export async function countQuarantine(projection: Keeper, readStore: QuarantinedDocuments): Promise<number> {
  let count = 0;
  for await (const _document of quarantineOf(projection, readStore)) count += 1;
  return count;
}

/** The document of a key where it is quarantined. */
export async function findQuarantined(
  { collection }: Keeper,
  key: string,
  readStore: DocumentReader,
): Promise<QuarantinedDocument | undefined> {
  const found = await readStore.load(collection, [key]);
  return found.find(isQuarantined);
}
