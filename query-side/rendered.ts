import { LRUCache } from 'lru-cache';
import type { Degraded, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Freshness } from '@waybill/projections/freshness.js';

/** A document as one kind of reader sees it, as JSON text but for its freshness, which changes with every answer. */
export interface Rendered {
  readonly revisions: StoredDocument['revisions'];
  readonly since: string | undefined;
  /** Whose personal data is in the document. */
  readonly subject: string | undefined;
  /** Whether it was opened: the text stands no longer than the key does. */
  readonly opened: boolean;
  /** Without the brace at its end. */
  readonly open: string;
  /** Value of the collection's order field: with the key, its place in lists. */
  readonly order: string;
}

/** Bytes of text that a cache keeps. */
const keptBytes = 64 * 1024 * 1024;

export type RenderedCache = LRUCache<string, Rendered>;

/** By key of the document. */
export function renderedCache(): RenderedCache {
  return new LRUCache({ maxSize: keptBytes, sizeCalculation: ({ open }) => 2 * open.length + 400 });
}

function equalRevisions(one: StoredDocument['revisions'], other: StoredDocument['revisions']): boolean {
  let more = 0;
  for (const name in one) {
    if (one[name] !== other[name]) return false;
    more += 1;
  }
  for (const _name in other) more -= 1;
  return more === 0;
}

/** Whether what was rendered is of the document as it is. */
export function isOf({ revisions, since }: Rendered, document: StoredDocument): boolean {
  return since === document.degraded?.since && equalRevisions(revisions, document.revisions);
}

/** An object as text without the brace at its end, with the mark of a document that is not kept up to date. */
export function openText(shown: object, degraded: Degraded | undefined): string {
  return JSON.stringify(degraded === undefined ? shown : { ...shown, degraded }).slice(0, -1);
}

/** Closes a text of `openText` with its freshness. */
export function withFreshness(open: string, { projectedAt, lagMs }: Freshness): string {
  // A time holds nothing that JSON would escape.
  const time = projectedAt === null ? 'null' : `"${projectedAt}"`;
  return `${open},"freshness":{"projectedAt":${time},"lagMs":${lagMs}}}`;
}
