import type { Asker } from '@waybill/infra/http/access.js';
import { json, route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { orders, orderView } from '@waybill/projections/read-models/orders.js';
import { readEverythingOf } from '@waybill/projections/replay/order.js';
import { askedAt, isKnown, type PointInTime } from '@waybill/projections/replay/point-in-time.js';
import { readTimelinePages, timelineStart, type TimelinePlace } from '@waybill/projections/replay/timeline.js';
import { viewPast } from '@waybill/projections/replay/view-past.js';
import { legibleEvent, timelineEvent, type LegibleEvent } from '@waybill/projections/read-models/timeline-event.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { TurnsOf } from '@waybill/shared-kernel/one-a-turn.js';
import { epochMs, timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { wishOf } from '../reading/consistency.js';
import { timelineCursorOf, encodeTimelineCursor } from '../reading/cursor.js';
import type { StepsOf } from './delivery-steps.js';
import type { OrderFinder } from './find-order.js';
import type { Dependencies } from '../reading/model.js';
import { keyringFor, type Keyring } from '../personal-data.js';
import { longestTimeline, readQuery, timelineLimit } from '../reading/query.js';

/** What of events their reader may see. */
export interface EventVisibility {
  readonly keys: Keyring;
  /** Whether they may know where couriers were: where a delivery ended, somebody lives. */
  readonly showsPositions: boolean;
}

interface PastDependencies {
  readonly finder: Pick<OrderFinder, 'inLog'>;
  readonly stepsOf: StepsOf;
  /** A turn of the caller's is waited for before each piece of a long stream. */
  readonly turnsOf: TurnsOf;
}

/** The order as it stood, folded from the log. */
export async function orderInThePast(
  dependencies: Dependencies,
  { finder, stepsOf, turnsOf }: PastDependencies,
  orderId: string,
  at: PointInTime,
  asker: Asker,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const asked = askedAt(at, epochMs(dependencies.clock));
  const { customerId, visibility } = await finder.inLog(orderId, asker);
  const events = await readEverythingOf(dependencies.events, orderId, await stepsOf(orderId), {
    size: eventsAtOnce,
    turn: turnsOf(asker.caller.sub),
  });
  const { view, degraded } = viewPast(
    orders,
    orderView,
    events.filter((event) => isKnown(event, asked)),
  );
  if (view === undefined) throw new NotFound('order', orderId, `There was no order ${orderId} at that time.`);
  const keys = await keyringFor(visibility, dependencies.keys, [customerId]);
  const freshness = { projectedAt: timestamp(dependencies.clock), lagMs: 0 };
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
function openData({ type, data }: LegibleEvent, { keys, showsPositions }: EventVisibility): object {
  if (type === 'DeliveryPositionReported' && !showsPositions) return { ...data, latitude: null, longitude: null };
  const shown: Record<string, unknown> = { ...data };
  for (const field of personal[type] ?? []) shown[field] = keys.open(shown[field]);
  return shown;
}

/** Events that are read, opened and written down in one turn of the event loop. */
export const eventsAtOnce = 250;

/** As timelines show them. */
export function shownEvents(events: readonly RecordedEvent[], visibility: EventVisibility): readonly object[] {
  return events.map(legibleEvent).map((event) => timelineEvent(event, openData(event, visibility)));
}

/** The elements of a JSON array as text; nothing where it has none. */
export function elementsOf(values: readonly object[]): readonly string[] {
  return values.length === 0 ? [] : [JSON.stringify(values).slice(1, -1)];
}

/** What happened to an order, page by page. Each page is asked for anew whether it is the caller's to see. */
export function timelineRoute(finder: Pick<OrderFinder, 'inLog'>, dependencies: Dependencies, turnsOf: TurnsOf): Route {
  async function timeline(request: ApiRequest<'/v1/orders/:orderId/timeline'>): Promise<Answer> {
    const { params, search, headers } = request;
    const { orderId } = params;
    const query = readQuery(search, { limit: timelineLimit, cursor: timelineCursorOf(orderId) });
    const { limit = longestTimeline, cursor = timelineStart } = query;
    const wish = wishOf(headers);
    const { customerId, visibility, isUnderWay } = await finder.inLog(orderId, request);
    const keys = await keyringFor(visibility, dependencies.keys, [customerId]);
    const showsPositions = keys.opens(customerId) || (await isUnderWay());
    const shown: string[] = [];
    let next: TimelinePlace | undefined;
    const range = { from: cursor, limit, size: eventsAtOnce, turn: turnsOf(request.caller.sub) };
    for await (const page of readTimelinePages(dependencies.events, orderId, range)) {
      shown.push(...elementsOf(shownEvents(page.events, { keys, showsPositions })));
      ({ next } = page);
    }
    const more = next === undefined ? '' : `,"next":${JSON.stringify(encodeTimelineCursor(orderId, next))}`;
    const body = `{"orderId":${JSON.stringify(orderId)},"events":[${shown.join(',')}]${more}}`;
    return { status: 200, body, ...(wish && { headers: wish.headers }) };
  }
  return route('GET', '/v1/orders/:orderId/timeline', timeline);
}
