import { NotFound } from '@waybill/shared-kernel/errors.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { foldDocument } from '../fold-document.js';
import { orders, orderView, type OrderView } from '../orders.js';
import { isKnown, type PointInTime } from './point-in-time.js';

export interface PointInOrder extends PointInTime {
  /** Revision of the order's own stream: everything about the order that the log held when it had this one. */
  readonly revision?: number;
}

export interface ReplayedOrder {
  /** Personal data sealed. */
  readonly order: OrderView;
  /** What made it, in the order of the log. */
  readonly events: readonly KnownEvent[];
}

/** Every event of an order, its payment, fulfilment and delivery, in the order of the log. */
export async function readEverythingOf(store: Pick<EventStore, 'readStream'>, orderId: string): Promise<KnownEvent[]> {
  const streams = [
    streamName('order', orderId),
    streamName('payment', orderId),
    streamName('fulfilment', orderId),
    streamName('delivery', deliveryIdOf(orderId)),
  ];
  const events: KnownEvent[] = [];
  for (const stream of streams) for await (const event of readWholeStream(store, stream)) events.push(upcast(event));
  return events.sort((one, other) => one.position - other.position);
}

/** An order as it stood, and the events that made it. Throws `NotFound` where it did not exist then. */
export async function replayOrder(
  store: Pick<EventStore, 'readStream'>,
  orderId: string,
  at: PointInOrder,
): Promise<ReplayedOrder> {
  const all = await readEverythingOf(store, orderId);
  const own = streamName('order', orderId);
  let last = Infinity;
  if (at.revision !== undefined && all.some(({ stream }) => stream === own)) {
    const named = all.find(({ stream, revision }) => stream === own && revision === at.revision);
    if (named === undefined) throw new NotFound(`revision ${at.revision} of order`, orderId);
    last = named.position;
  }
  const events = all.filter((event) => event.position <= last && isKnown(event, at));
  const { sections, revisions } = foldDocument(orders, events);
  const order = orderView(sections, revisions);
  if (order === undefined) throw new NotFound(isInThePast(at) ? 'order (at that time)' : 'order', orderId);
  return { order, events };
}

function isInThePast({ asOf, knownAt }: PointInTime): boolean {
  return asOf !== undefined || knownAt !== undefined;
}
