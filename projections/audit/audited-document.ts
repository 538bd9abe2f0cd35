import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { CollectionSpec, Fields, IndexedDocument, Share } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { CannotApply, emptyDraft, foldRecorded, inCategoryOrder, type Draft } from '../read-models/fold-document.js';

/** A projection as audits know it. */
export interface AuditedProjection extends Projection {
  /** Types of events that it folds; of others no revision tells. All of its categories unless said otherwise. */
  readonly types?: ReadonlySet<string>;
  /** The collection whose positions say how far it is; its own unless said otherwise. */
  readonly positionsOf?: CollectionSpec;
}

/** Whether an event of its categories is one that it folds. */
export function folds({ types }: AuditedProjection, { type }: Pick<RecordedEvent, 'type'>): boolean {
  return types?.has(type) !== false;
}

/** What an audit compares of a document. The rest, `projectedAt` and `degraded`, says when it was written, not what. */
export interface AuditedDocument {
  readonly partition: number;
  readonly revisions: Revisions;
  readonly sections: Sections;
  /** Sets in alphabetical order, shares by what they are added to. */
  readonly fields: Fields;
}

function inOrder({ single, multiple, shares }: Fields): Fields {
  const sets = Object.entries(multiple).map(([name, values]) => [name, values.toSorted()] as const);
  return {
    single,
    multiple: Object.fromEntries(sets),
    ...(shares !== undefined && { shares: shares.map(inKeyOrder).sort(byKey) }),
  };
}

/** The same, however it was put together. */
function inKeyOrder({ owner, day, unit, name, amount }: Share): Share {
  return { owner, day, unit, name, amount };
}

function byKey(one: Share, other: Share): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;
}

export function auditedStored({ partition, revisions, sections, fields }: IndexedDocument): AuditedDocument {
  return { partition, revisions, sections, fields: inOrder(fields) };
}

const noFields: Fields = { single: {}, multiple: {} };

/** Without fields where they cannot be derived. */
function fieldsOf(projection: Projection, sections: Sections): Fields {
  try {
    return inOrder(projection.fields(sections));
  } catch {
    return noFields;
  }
}

export function auditedFolded(projection: Projection, partition: number, draft: Draft): AuditedDocument {
  const { revisions, sections } = inCategoryOrder(projection, draft);
  return { partition, revisions, sections, fields: fieldsOf(projection, sections) };
}

/** Whether both have come equally far in every stream. */
export function atSameRevisions(stored: Pick<IndexedDocument, 'revisions'>, folded: Pick<Draft, 'revisions'>): boolean {
  const names = Object.keys(folded.revisions);
  return (
    names.length === Object.keys(stored.revisions).length &&
    Object.entries(folded.revisions).every(([name, revision]) => stored.revisions[name] === revision)
  );
}

/** The document after each of its events, oldest first, in the order of the log; ends before one that cannot be applied. */
export function* lifeOf(
  projection: Projection,
  partition: number,
  events: readonly RecordedEvent[],
): Generator<AuditedDocument, void, undefined> {
  const draft = emptyDraft();
  for (const event of events) {
    try {
      foldRecorded(projection, draft, categoryOf(event.stream)!, event);
    } catch (error) {
      if (error instanceof CannotApply) return;
      throw error;
    }
    yield auditedFolded(projection, partition, draft);
  }
}
