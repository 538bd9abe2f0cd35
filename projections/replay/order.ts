import { NotFound } from '@waybill/shared-kernel/errors.js';
import type { EventType } from '@waybill/shared-kernel/events/catalogue.js';
import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { StreamReader, StreamCuts } from '@waybill/shared-kernel/ports/event-store.js';
import { readStreamPages, type StreamRange } from '@waybill/shared-kernel/read-stream.js';
import { requireWhole } from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf, deliveryIdOf, streamName, type Category } from '@waybill/shared-kernel/stream.js';
import type { DeliverySteps } from '../read-models/deliveries.js';
import { orders, orderView, type OrderView } from '../read-models/orders.js';
import type { DegradedView } from '../quarantine/degraded-view.js';
import { legibleEvent, type LegibleEvent } from '../read-models/timeline-event.js';
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

/** The streams in which everything about an order is. That of its delivery, the last, may be long. */
export function streamsOf(orderId: string): readonly string[] {
  return [
    streamName('order', orderId),
    streamName('payment', orderId),
    streamName('fulfilment', orderId),
    streamName('delivery', deliveryIdOf(orderId)),
  ];
}

/**
 * Every event of an order, its payment, fulfilment and delivery, in the order of the log and as it holds them; without
 * the positions that `steps` passes over, where somebody knows those. Read as `inPieces` says. Throws `EventFromTheFuture`, and `StreamCut` or
 * `StreamUnreadable` where not all of them can be had.
 */
export async function readEverythingOf(
  store: StreamReader,
  orderId: string,
  steps?: DeliverySteps,
  inPieces: Pieces = {},
): Promise<RecordedEvent[]> {
  const streams = streamsOf(orderId);
  const found = await Promise.all(
    streams.map((stream) =>
      steps !== undefined && categoryOf(stream) === 'delivery'
        ? readSteps(store, stream, steps, inPieces)
        : readAllOf(store, stream, inPieces),
    ),
  );
  await requireExpected(store, streams, found);
  const events = found.flat();
  for (const event of events) refuseFuture(event);
  return events.sort((one, other) => one.position - other.position);
}

/** How a long stream is read: so much at once, each in a turn. */
type Pieces = Pick<StreamRange, 'size' | 'turn'>;

async function readAllOf(store: StreamReader, stream: string, range: StreamRange): Promise<readonly RecordedEvent[]> {
  const pages: (readonly RecordedEvent[])[] = [];
  for await (const page of readStreamPages(store, stream, range)) pages.push(page);
  return pages.flat();
}

/** The events at the revisions named, and all that follow. */
async function readSteps(
  store: StreamReader,
  stream: string,
  { revisions, through }: DeliverySteps,
  inPieces: Pieces,
): Promise<readonly RecordedEvent[]> {
  const runs = await Promise.all(runsOf(revisions).map(([first, count]) => store.readStream(stream, first, count)));
  return [...runs.flat(), ...(await readAllOf(store, stream, { ...inPieces, from: through + 1 }))];
}

/** Rising numbers as runs of such as follow one another: the first of each, and how many they are. */
function runsOf(numbers: readonly number[]): readonly (readonly [first: number, count: number])[] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === number) last[1] += 1;
    else runs.push([number, 1]);
  }
  return runs;
}

/** Throws `StreamCut` where a stream has nothing, though the others say that there was something, and it is cut. */
export async function requireExpected(
  store: StreamCuts,
  streams: readonly string[],
  found: readonly (readonly RecordedEvent[])[],
): Promise<void> {
  const events = found.flat();
  for (const [index, stream] of streams.entries()) {
    if (found[index]!.length === 0 && isExpected(categoryOf(stream), events)) await requireWhole(store, stream);
  }
}

/** Whether the rest of an order says that there was something in a stream of it of which nothing is found. */
function isExpected(category: Category | undefined, events: readonly RecordedEvent[]): boolean {
  const has = (...types: readonly EventType[]) =>
    events.some(({ type }) => (types as readonly string[]).includes(type));
  switch (category) {
    case 'payment':
      return has('FulfilmentPaymentSettled', 'OrderConfirmed');
    case 'delivery':
      return has('FulfilmentDeliveryRequested', 'OrderDispatched', 'OrderDelivered', 'OrderConfirmed');
    case 'fulfilment':
      return events.some(({ stream, imported }) => imported !== true && stream.startsWith('payment-'));
    default:
      return true;
  }
}

/** An order as it stood, and the events that made it. Throws `NotFound` where it did not exist then. */
export async function replayOrder(store: StreamReader, orderId: string, at: PointInOrder): Promise<ReplayedOrder> {
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
