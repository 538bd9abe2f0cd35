import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Fields, IndexedDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import { emptyDraft, foldEvent, inCategoryOrder, type Draft } from '../fold-document.js';
import type { FoldedDocument } from './document-fold.js';

/** What an audit compares of a document. The rest, `projectedAt` and `degraded`, says when it was written, not what. */
export interface AuditedDocument {
  readonly partition: number;
  readonly revisions: Revisions;
  readonly sections: Sections;
  /** Sets in alphabetical order. */
  readonly fields: Fields;
}

function inOrder({ single, multiple }: Fields): Fields {
  const sets = Object.entries(multiple).map(([name, values]) => [name, values.toSorted()] as const);
  return { single, multiple: Object.fromEntries(sets) };
}

export function auditedStored({ partition, revisions, sections, fields }: IndexedDocument): AuditedDocument {
  return { partition, revisions, sections, fields: inOrder(fields) };
}

export function auditedFolded(projection: Projection, partition: number, draft: Draft): AuditedDocument {
  const { revisions, sections } = inCategoryOrder(projection, draft);
  return { partition, revisions, sections, fields: inOrder(projection.fields(sections)) };
}

/** Whether both have come equally far in every stream. */
export function atSameRevisions(stored: Pick<IndexedDocument, 'revisions'>, folded: FoldedDocument): boolean {
  const names = Object.keys(folded.revisions);
  return (
    names.length === Object.keys(stored.revisions).length &&
    Object.entries(folded.revisions).every(([name, revision]) => stored.revisions[name] === revision)
  );
}

/** The document after each of its events, oldest first, in the order of the log. */
export function* lifeOf(
  projection: Projection,
  partition: number,
  events: readonly KnownEvent[],
): Generator<AuditedDocument, void, undefined> {
  const draft = emptyDraft();
  for (const event of events) {
    foldEvent(projection, draft, event);
    yield auditedFolded(projection, partition, draft);
  }
}
