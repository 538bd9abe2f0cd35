import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readLogBackwards } from '@waybill/shared-kernel/read-stream.js';
import { orders, orderView, type OrderView } from '../orders.js';
import { BackwardsFold } from './backwards-fold.js';
import type { PastOrder } from './order.js';
import { isKnown, type PointInTime } from './point-in-time.js';
import type { Past } from './view-past.js';

export interface HistoryOptions {
  /** Events that wait in memory at once; more wait on disk. */
  readonly capacity?: number;
  /** Told page by page how far the log was read: 0 to the second number, its length in positions. */
  readonly onProgress?: (read: number, length: number) => void;
}

/**
 * Every order as it stood at a point in time, once each, those placed last first as far as memory allows; personal
 * data sealed. Reads the log once, as it is when this begins, and in bounded memory (see `BackwardsFold`).
 */
export async function* replayHistory(
  store: Pick<EventStore, 'readAllBackwards'>,
  at: PointInTime,
  { capacity, onProgress }: HistoryOptions = {},
): AsyncGenerator<PastOrder, void, undefined> {
  const fold = new BackwardsFold(orders, orderView, capacity);
  let head: number | undefined;
  try {
    for await (const page of readLogBackwards(store)) {
      head ??= page[0]!.position;
      for (const event of page) {
        const past = fold.add(event, isKnown(event, at));
        if (past?.view !== undefined) yield pastOrder(past.view, past);
      }
      onProgress?.(head - page.at(-1)!.position + 1, head);
    }
    for (const past of fold.rest()) if (past.view !== undefined) yield pastOrder(past.view, past);
  } finally {
    fold.close();
  }
}

function pastOrder(view: OrderView, { degraded }: Past<OrderView>): PastOrder {
  return degraded === undefined ? view : { ...view, degraded };
}
