import { EventFromTheFuture } from '@waybill/shared-kernel/errors.js';
import type { EventType } from '@waybill/shared-kernel/events/catalogue.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Fields } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';

/** What has been folded of a document. */
export interface Folded {
  readonly revisions: Revisions;
  readonly sections: Sections;
}

/** A document that is being folded, in place, for speed: whoever makes it owns it. */
export interface Draft {
  readonly revisions: { [section in Category]?: number };
  readonly sections: { [section in Category]?: unknown };
}

export function emptyDraft(): Draft {
  return { revisions: {}, sections: {} };
}

/**
 * Folds one event into a draft, whatever its revision: for histories from which events were left out on purpose
 * (`asOf`, `knownAt`), which come in revision order. Events of categories that the projection does not fold, pass by.
 */
export function foldEvent(projection: Projection, draft: Draft, event: KnownEvent): void {
  const category = categoryOf(event.stream);
  if (category === undefined || !projection.categories.includes(category)) return;
  foldInto(projection, draft, category, event);
}

/** As `foldEvent`, where the category is known and the projection's. */
export function foldInto(projection: Projection, draft: Draft, category: Category, event: KnownEvent): void {
  const section = projection.fold(draft.sections[category], event);
  if (section !== undefined) draft.sections[category] = section;
  draft.revisions[category] = event.revision;
}

/** This program cannot apply the event, however often it tries: see `cause`. */
export class CannotApply extends Error {
  constructor(
    readonly event: RecordedEvent,
    cause: unknown,
  ) {
    super(`${event.type}, revision ${event.revision} of ${event.stream}, cannot be applied.`, { cause });
    this.name = 'CannotApply';
  }
}

/** Of which a stream whose id a caller may choose has one, its first: another stands where a deleted one was begun again. */
const begins: ReadonlySet<string> = new Set<EventType>(['OrderPlaced', 'ProductListed', 'CustomerRegistered']);

/**
 * Folds an event as the log holds it. Throws `CannotApply`, the draft as it was before, or `EventFromTheFuture`: such
 * an event is for a newer program and no fault of the event.
 */
export function foldRecorded(projection: Projection, draft: Draft, category: Category, event: RecordedEvent): void {
  try {
    if (event.revision > 0 && begins.has(event.type)) throw new Error('It begins what had begun before.');
    foldInto(projection, draft, category, upcast(event));
  } catch (error) {
    throw error instanceof EventFromTheFuture ? error : new CannotApply(event, error);
  }
}

/**
 * The document with its parts in the order of the projection's categories: the same bytes, whichever stream was
 * folded first.
 */
export function inCategoryOrder({ categories }: Projection, draft: Draft): Folded {
  const revisions: Draft['revisions'] = {};
  const sections: Draft['sections'] = {};
  for (const category of categories) {
    const revision = draft.revisions[category];
    if (revision !== undefined) revisions[category] = revision;
    const section = draft.sections[category];
    if (section !== undefined) sections[category] = section;
  }
  return { revisions, sections };
}

/** `undefined`: another program wrote this, and this one cannot make anything of it. */
export function fieldsOf(projection: Projection, { sections }: Pick<Folded, 'sections'>): Fields | undefined {
  try {
    return projection.fields(sections);
  } catch {
    return undefined;
  }
}

/** Whether a document at `revisions` holds all that one at `others` does. */
export function reaches(
  revisions: Readonly<Record<string, number>>,
  others: Readonly<Record<string, number>>,
): boolean {
  return Object.entries(others).every(([section, other]) => (revisions[section] ?? -1) >= other);
}

/** The document of these events, all of one key, each stream's in revision order. */
export function foldDocument(projection: Projection, events: Iterable<KnownEvent>): Folded {
  const draft = emptyDraft();
  for (const event of events) foldEvent(projection, draft, event);
  return inCategoryOrder(projection, draft);
}

/** All of a document's revisions in one word, such as `order.3-delivery.1`: equal only for the same document. */
export function revisionVector({ categories }: Projection, revisions: Revisions): string {
  return categories
    .filter((category) => revisions[category] !== undefined)
    .map((category) => `${category}.${revisions[category]}`)
    .join('-');
}
