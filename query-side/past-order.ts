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

interface History {
  /** In the order of the log. */
  readonly events: readonly RecordedEvent[];
  readonly keys: Keyring;
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
  return { events, keys: await keyringFor(sight, means.keys, [parties.customerId]) };
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

/** Which part of a payload is personal. */
const personal: Readonly<Record<string, string>> = { OrderPlaced: 'deliveryAddress', DeliveryScheduled: 'address' };

/** A payload with its personal data opened, or null. */
function openData({ type, data }: LegibleEvent, keys: Keyring): object {
  const field = personal[type];
  const shown: Record<string, unknown> = { ...data };
  if (field !== undefined) shown[field] = keys.open(shown[field]);
  return shown;
}

/** As it happened; what happened at once, as it was recorded. */
function byTime(one: RecordedEvent, other: RecordedEvent): number {
  if (one.occurredAt !== other.occurredAt) return one.occurredAt < other.occurredAt ? -1 : 1;
  return one.position - other.position;
}

export function timelineRoute(means: Means): Route {
  async function timeline(request: ApiRequest<'/v1/orders/:orderId/timeline'>): Promise<Answer> {
    const { params, search, headers } = request;
    readQuery(search, {});
    const wish = wishOf(headers);
    const { orderId } = params;
    const { events, keys } = await historyFor(means, orderId, request);
    const shown = events
      .toSorted(byTime)
      .map(legibleEvent)
      .map((event) => timelineEvent(event, openData(event, keys)));
    return json(200, { orderId, events: shown }, wish?.headers);
  }
  return route('GET', '/v1/orders/:orderId/timeline', timeline);
}
