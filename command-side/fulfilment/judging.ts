import type { StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { requireWhole } from '@waybill/shared-kernel/stream-faults.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { orderConcerned } from './fulfilment.js';

/** What the deadlines of a partition are judged by. */
export interface Judging {
  /** Everything that was recorded up to then is handled: milliseconds since 1970, by the log's clock and by ours. */
  readonly upToMs: number;
  /** Position in the log up to which the partition's events are handled. */
  readonly position: number;
}

/** The other streams that say what becomes of an order. */
export function streamsOfOthers(orderId: string): readonly string[] {
  return [streamName('order', orderId), streamName('payment', orderId), streamName('delivery', deliveryIdOf(orderId))];
}

/**
 * Whether the order's streams hold an event that the process manager has yet to handle; with `dueAt` (RFC 3339), one
 * that was recorded by then. If so, the deadline is not missed and nothing has to be requested again, however late we
 * are. The streams are read just before what cannot be undone. Throws `StreamCut` where their events are gone.
 */
export async function hasUnhandled(
  store: StreamReader,
  orderId: string,
  { position }: Pick<Judging, 'position'>,
  dueAt?: string,
): Promise<boolean> {
  for (const stream of streamsOfOthers(orderId)) {
    let isEmpty = true;
    for await (const event of readWholeStream(store, stream)) {
      isEmpty = false;
      if (event.position <= position || orderConcerned(event) !== orderId) continue;
      if (dueAt === undefined || Date.parse(event.recordedAt) <= Date.parse(dueAt)) return true;
    }
    if (isEmpty) await requireWhole(store, stream);
  }
  return false;
}
