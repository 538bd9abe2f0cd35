import type { StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { requireWhole } from '@waybill/shared-kernel/stream-faults.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { orderConcerned } from './fulfilment.js';

/** By what deadlines of a partition are judged. */
export interface Judging {
  /** Everything that was recorded up to then is handled: milliseconds since 1970, by the log's clock and by ours. */
  readonly upToMs: number;
  /** Position in the log up to which the partition's events are handled. */
  readonly position: number;
}

/** Streams of others in which it is told what becomes of an order. */
export function streamsOfOthers(orderId: string): readonly string[] {
  return [streamName('order', orderId), streamName('payment', orderId), streamName('delivery', deliveryIdOf(orderId))];
}

/**
 * Whether something was recorded of an order, by a deadline where one is given, that the process manager has yet to
 * handle: then the deadline is not missed, and nothing need be asked for again, whoever is behind. Read from the order's
 * own streams, the last word before what cannot be undone. `dueAt`: RFC 3339. Throws `StreamCut` where events of them are
 * gone: what they said nobody knows.
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
