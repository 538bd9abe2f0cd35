import { noStream, type StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { CannotApply, emptyDraft, foldRecorded, inCategoryOrder, type Draft, type Folded } from './fold-document.js';

/**
 * A document as the log has it now: `before`, where there is one, with what came after it. A stream of which an event
 * cannot be applied goes no further than before that: it is not whole then. Throws `EventFromTheFuture`, and `StreamCut` or `StreamUnreadable`
 * where what came after cannot be had.
 */
export async function foldOn(
  projection: Projection,
  key: string,
  store: StreamEvents,
  before: Folded = emptyDraft(),
): Promise<Folded & { readonly isWhole: boolean }> {
  const draft: Draft = { revisions: { ...before.revisions }, sections: { ...before.sections } };
  let isWhole = true;
  for (const stream of projection.streams(key)) {
    const category = categoryOf(stream)!;
    try {
      const from = (draft.revisions[category] ?? noStream) + 1;
      for await (const event of readWholeStream(store, stream, from)) foldRecorded(projection, draft, category, event);
    } catch (error) {
      if (!(error instanceof CannotApply)) throw error;
      isWhole = false;
    }
  }
  return { ...inCategoryOrder(projection, draft), isWhole };
}
