import { EventFromTheFuture } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { emptyDraft, foldRecorded, inCategoryOrder, type Folded } from '../read-models/fold-document.js';
import { degradedView, type DegradedView } from '../quarantine/degraded-view.js';

export type ViewOf<View> = (sections: Sections, revisions: Revisions) => View | undefined;

/** A document as some of its events make it. */
export interface Past<View> {
  /** `undefined`: they make nothing that could be shown. */
  readonly view: View | undefined;
  readonly folded: Folded;
  /** An event cannot be applied: it and those after it were left out. `since` is when it was recorded. */
  readonly degraded?: DegradedView;
}

/** Views the document of these events, in the order of the log; those that the projection does not fold pass by. */
export function viewPast<View>(
  projection: Projection,
  viewOf: ViewOf<View>,
  events: readonly RecordedEvent[],
): Past<View> {
  try {
    const draft = emptyDraft();
    for (const event of events) fold(projection, draft, event);
    return pastOf(projection, viewOf, draft);
  } catch (error) {
    if (error instanceof EventFromTheFuture) throw error;
    return viewAsFar(projection, viewOf, events);
  }
}

/** Looks after each event whether there still is something to show. */
function viewAsFar<View>(projection: Projection, viewOf: ViewOf<View>, events: readonly RecordedEvent[]): Past<View> {
  const draft = emptyDraft();
  let past: Past<View> = { view: undefined, folded: draft };
  for (const event of events) {
    try {
      fold(projection, draft, event);
      past = pastOf(projection, viewOf, draft);
    } catch (error) {
      if (error instanceof EventFromTheFuture) throw error;
      return { ...past, degraded: degradedView({ since: event.recordedAt, event }) };
    }
  }
  return past;
}

function fold(projection: Projection, draft: ReturnType<typeof emptyDraft>, event: RecordedEvent): void {
  const category = categoryOf(event.stream);
  if (category !== undefined && projection.categories.includes(category)) {
    foldRecorded(projection, draft, category, event);
  }
}

function pastOf<View>(projection: Projection, viewOf: ViewOf<View>, draft: Folded): Past<View> {
  const folded = inCategoryOrder(projection, draft);
  return { view: viewOf(folded.sections, folded.revisions), folded };
}
