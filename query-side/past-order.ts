import type { Asker } from '@waybill/infra/http/access.js';
import { json, route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { orders, orderView, partiesOf, type OrderParties } from '@waybill/projections/orders.js';
import { readEverythingOf } from '@waybill/projections/replay/order.js';
import { isKnown, type PointInTime } from '@waybill/projections/replay/point-in-time.js';
import { viewPast } from '@waybill/projections/replay/view-past.js';
import { legibleEvent, timelineEvent, type LegibleEvent } from '@waybill/projections/timeline-event.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { wishOf } from './consistency.js';
import type { Means } from './model.js';
import { keyringFor, type Keyring } from './personal-data.js';
import { readQuery } from './query.js';
import { sightOfOrder } from './sight.js';

/** Events, and what of them their reader may see. */
export interface History {
  /** In the order of the log. */
  readonly events: readonly RecordedEvent[];
  readonly keys: Keyring;
  /** Whether its reader may know where couriers were with it: where it ended, somebody lives. */
  readonly showsPositions: boolean;
}

/** Whose an order is by what the log has of it, as far as that can be folded. */
export function partiesInLog(events: readonly RecordedEvent[]): OrderParties {
  return viewPast(orders, partiesOf, events).view ?? { merchantIds: [] };
}

/** What the log has of an order, for a caller who may see the order as it is now. Else as if there were none. */
async function historyFor(means: Means, orderId: string, asker: Asker): Promise<History> {
  const events = await readEverythingOf(means.events, orderId);
  const parties = partiesInLog(events);
  const sight = sightOfOrder(asker, parties);
  if (parties.customerId === undefined || sight === undefined) throw new NotFound('order', orderId);
  const keys = await keyringFor(sight, means.keys, [parties.customerId]);
  return { events, keys, showsPositions: parties.isUnderWay === true || keys.opens(parties.customerId) };
}

/** The order as it stood, folded from the log. */
export async function orderInThePast(
  means: Means,
  orderId: string,
  at: PointInTime,
  asker: Asker,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const { events, keys } = await historyFor(means, orderId, asker);
  const { view, degraded } = viewPast(
    orders,
    orderView,
    events.filter((event) => isKnown(event, at)),
  );
  if (view === undefined) throw new NotFound('order', orderId, `There was no order ${orderId} at that time.`);
  const freshness = { projectedAt: timestamp(means.clock), lagMs: 0 };
  const shown = { ...view, deliveryAddress: keys.open(view.deliveryAddress) };
  return json(200, { ...shown, ...(degraded !== undefined && { degraded }), freshness }, headers);
}

/** Which parts of a payload are personal. */
const personal: Readonly<Record<string, readonly string[]>> = {
  OrderPlaced: ['deliveryAddress'],
  DeliveryScheduled: ['address'],
  CustomerRegistered: ['name', 'phone', 'address'],
  CustomerAddressChanged: ['address'],
};

/** A payload with its personal data opened, or null. */
function openData({ type, data }: LegibleEvent, { keys, showsPositions }: History): object {
  if (type === 'DeliveryPositionReported' && !showsPositions) return { ...data, latitude: null, longitude: null };
  const shown: Record<string, unknown> = { ...data };
  for (const field of personal[type] ?? []) shown[field] = keys.open(shown[field]);
  return shown;
}

/** As it happened; what happened at once, as it was recorded. */
function byTime(one: RecordedEvent, other: RecordedEvent): number {
  if (one.occurredAt !== other.occurredAt) return one.occurredAt < other.occurredAt ? -1 : 1;
  return one.position - other.position;
}

/** As timelines show them, in the order in which they happened. */
export function shownEvents(history: History): readonly object[] {
  return history.events
    .toSorted(byTime)
    .map(legibleEvent)
    .map((event) => timelineEvent(event, openData(event, history)));
}

export function timelineRoute(means: Means): Route {
  async function timeline(request: ApiRequest<'/v1/orders/:orderId/timeline'>): Promise<Answer> {
    const { params, search, headers } = request;
    readQuery(search, {});
    const wish = wishOf(headers);
    const { orderId } = params;
    const history = await historyFor(means, orderId, request);
    return json(200, { orderId, events: shownEvents(history) }, wish?.headers);
  }
  return route('GET', '/v1/orders/:orderId/timeline', timeline);
}
