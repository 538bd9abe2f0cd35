import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { orders, orderView, type OrderView } from '../orders.js';
import { DocumentFold } from './document-fold.js';
import { isKnown, type PointInTime } from './point-in-time.js';

export interface HistoryOptions {
  /** Orders that are held in memory at once; the rest waits on disk. */
  readonly capacity?: number;
  /** Told the position that was reached, page by page. */
  readonly onProgress?: (position: number, head: number) => void;
}

/**
 * Every order as it stood at a point in time, once each, in no order; personal data sealed. Reads the log once, up to
 * where it ends as this begins, and in bounded memory (see `DocumentFold`).
 */
export async function* replayHistory(
  store: Pick<EventStore, 'readAll' | 'head'>,
  at: PointInTime,
  { capacity, onProgress }: HistoryOptions = {},
): AsyncGenerator<OrderView, void, undefined> {
  const fold = new DocumentFold(orders, capacity);
  try {
    const head = await store.head();
    for await (const page of readLog(store, 0, head)) {
      for (const event of page) if (isKnown(event, at) && fold.takes(event.stream)) fold.add(upcast(event));
      const { position, recordedAt } = page[page.length - 1]!;
      onProgress?.(position, head);
      // The log is in the order of its recording: what comes after was not known either.
      if (at.knownAt !== undefined && recordedAt > at.knownAt) break;
    }
    for (const bucket of fold.buckets()) {
      for (const { sections, revisions } of bucket.values()) {
        const view = orderView(sections, revisions);
        if (view !== undefined) yield view;
      }
    }
  } finally {
    fold.close();
  }
}
