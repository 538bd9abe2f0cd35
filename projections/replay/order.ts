import { NotFound } from '@waybill/shared-kernel/errors.js';
import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { orders, orderView, type OrderView } from '../orders.js';
import type { DegradedView } from '../quarantine/degraded-view.js';
import { legibleEvent, type LegibleEvent } from '../timeline-event.js';
import { isKnown, type PointInTime } from './point-in-time.js';
import { viewPast } from './view-past.js';

export interface PointInOrder extends PointInTime {
  /** Revision of the order's own stream: everything about the order that the log held when it had this one. */
  readonly revision?: number;
}

/** An order as it stood; `degraded` where one of its events cannot be applied: it and what follows are left out. */
export type PastOrder = OrderView & { readonly degraded?: DegradedView };

export interface ReplayedOrder {
  /** Personal data sealed. */
  readonly order: PastOrder;
  /** What made it, in the order of the log. */
  readonly events: readonly LegibleEvent[];
}

/**
 * Every event of an order, its payment, fulfilment and delivery, in the order of the log and as it holds them. Throws
 * `EventFromTheFuture`.
 */
export async function readEverythingOf(
  store: Pick<EventStore, 'readStream'>,
  orderId: string,
): Promise<RecordedEvent[]> {
  const streams = [
    streamName('order', orderId),
    streamName('payment', orderId),
    streamName('fulfilment', orderId),
    streamName('delivery', deliveryIdOf(orderId)),
  ];
  const events: RecordedEvent[] = [];
  for (const stream of streams) for await (const event of readWholeStream(store, stream)) events.push(event);
  for (const event of events) refuseFuture(event);
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
  const { view, degraded } = viewPast(orders, orderView, events);
  if (view === undefined) {
    throw isInThePast(at)
      ? new NotFound('order', orderId, `There was no order ${orderId} at that time.`)
      : new NotFound('order', orderId);
  }
  return { order: degraded === undefined ? view : { ...view, degraded }, events: events.map(legibleEvent) };
}

function isInThePast({ asOf, knownAt }: PointInTime): boolean {
  return asOf !== undefined || knownAt !== undefined;
}
