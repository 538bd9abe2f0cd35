import { StreamCut } from '@waybill/shared-kernel/errors.js';
import type { StreamCuts, BackwardsLogReader } from '@waybill/shared-kernel/ports/event-store.js';
import { readLogBackwards } from '@waybill/shared-kernel/read-stream.js';
import { faultOf, type StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf, parseStream } from '@waybill/shared-kernel/stream.js';
import { orders, orderView, type OrderView } from '../read-models/orders.js';
import { BackwardsFold } from './backwards-fold.js';
import type { PastOrder } from './order.js';
import { isKnown, type PointInTime } from './point-in-time.js';
import type { Past } from './view-past.js';

export interface HistoryOptions {
  /** Events that wait in memory at once; more wait on disk. */
  readonly capacity?: number;
  /** Called after each page with how far the log was read: 0 to the second number, its length in positions. */
  readonly onProgress?: (read: number, length: number) => void;
  /** Called at the end with each order that was left out because not all of its events can be read. */
  readonly onLeftOut?: (orderId: string, fault: StreamFault) => void;
}

type HistoryLog = StreamCuts & BackwardsLogReader;

/**
 * Every order as it stood at a point in time, once each, those placed last first as far as memory allows; personal
 * data sealed. Reads the log once, as it is when this begins, and in bounded memory (see `BackwardsFold`).
 */
export async function* replayHistory(
  store: HistoryLog,
  at: PointInTime,
  { capacity, onProgress, onLeftOut }: HistoryOptions = {},
): AsyncGenerator<PastOrder, void, undefined> {
  const fold = new BackwardsFold(orders, orderView, capacity);
  const faults = new Map<string, StreamFault>();
  let head: number | undefined;
  try {
    for await (const page of readLogBackwards(store)) {
      head ??= page.events[0]?.position ?? page.through;
      for (const mark of page.marks) {
        const fault = await faultOf(store, mark);
        if (fault === undefined) continue;
        fold.doubt(mark.stream);
        faults.set(mark.stream, fault);
      }
      for (const event of page.events) {
        const past = fold.add(event, isKnown(event, at));
        if (past?.view !== undefined) yield pastOrder(past.view, past);
      }
      onProgress?.(page.isEnd ? head : Math.max(0, head - page.through), head);
    }
    for (const past of fold.rest()) if (past.view !== undefined) yield pastOrder(past.view, past);
    const leftOut = new Set(fold.leftOut());
    // Of one of which nothing can be read but its name there was no event.
    for (const stream of faults.keys()) if (categoryOf(stream) === 'order') leftOut.add(parseStream(stream).id);
    for (const orderId of leftOut) onLeftOut?.(orderId, await whyLeftOut(orderId, faults, store));
  } finally {
    fold.close();
  }
}

async function whyLeftOut(
  orderId: string,
  faults: ReadonlyMap<string, StreamFault>,
  store: HistoryLog,
): Promise<StreamFault> {
  const streams = orders.streams(orderId);
  for (const stream of streams) {
    const fault = faults.get(stream);
    if (fault !== undefined) return fault;
  }
  for (const stream of streams) {
    const cut = await store.cutOf(stream);
    if (cut !== undefined) return new StreamCut(stream, cut.firstRevision);
  }
  // The order's own stream, of which nothing is left that says that there was any.
  return new StreamCut(streams[0]!, undefined);
}

function pastOrder(view: OrderView, { degraded }: Past<OrderView>): PastOrder {
  return degraded === undefined ? view : { ...view, degraded };
}
