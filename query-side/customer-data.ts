import { json, route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { customers, customerView } from '@waybill/projections/customers.js';
import { listFreshness } from '@waybill/projections/freshness.js';
import { orders, orderView } from '@waybill/projections/orders.js';
import { readEverythingOf } from '@waybill/projections/replay/order.js';
import { viewPast } from '@waybill/projections/replay/view-past.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { wishOf, type Wish } from './consistency.js';
import { cursorOf, encodeCursor, type Place } from './cursor.js';
import { showCustomer } from './customers.js';
import { readLiveOf } from './live-model.js';
import type { Means } from './model.js';
import { showOrder } from './orders.js';
import { shownEvents } from './past-order.js';
import { keyringFor, type Keyring } from './personal-data.js';
import { readQuery } from './query.js';
import { sightOfCustomer } from './sight.js';

/** Orders in one answer at most; who has more is told where to go on. */
export const ordersAtOnce = 200;

/** Orders that are read from the log side by side. */
const atATime = 8;

/** How the cursor of this list calls it. */
const listName = 'customer-data';

/**
 * All that is kept of a person, as one file: the customer, and each order as it stands, with every event about them. From
 * the log, but for which orders there are.
 */
export function customerDataRoute(means: Means): Route {
  const { events, readStore, keys, clock } = means;
  const readOrders = readLiveOf(orders, means);

  async function ordersOf(customerId: string, after: Place | undefined, wish: Wish | undefined) {
    return readOrders(wish, async ({ projection: { collection, fields }, gauge }) => {
      const lags = await gauge.lags();
      const place = after === undefined ? {} : { after };
      const found = await readStore.list(collection, { equal: { customerId }, ...place, limit: ordersAtOnce + 1 });
      const documents = found.slice(0, ordersAtOnce);
      const last = found.length > ordersAtOnce ? documents.at(-1) : undefined;
      const next =
        last &&
        encodeCursor(listName, { order: String(fields(last.sections).single[collection.order]), key: last.key });
      return { ids: documents.map(({ key }) => key), next, freshness: listFreshness(documents, lags) };
    });
  }

  async function customerIn(customerId: string): Promise<readonly RecordedEvent[]> {
    const own: RecordedEvent[] = [];
    for await (const event of readWholeStream(events, streamName('customer', customerId))) own.push(event);
    for (const event of own) refuseFuture(event);
    return own;
  }

  /** As it stands by the log now. */
  function asOfNow<View extends object>(view: View): object {
    return { ...view, freshness: { projectedAt: timestamp(clock), lagMs: 0 } };
  }

  async function dataOfOrder(orderId: string, ring: Keyring): Promise<object | undefined> {
    const history = await readEverythingOf(events, orderId);
    const { view, degraded } = viewPast(orders, orderView, history);
    if (view === undefined) return undefined;
    const order = asOfNow({ ...showOrder(view, ring), ...(degraded !== undefined && { degraded }) });
    return { order, events: shownEvents({ events: history, keys: ring, showsPositions: ring.opens(view.customerId) }) };
  }

  async function data(request: ApiRequest<'/v1/customers/:customerId/data'>): Promise<Answer> {
    const { params, search, headers } = request;
    const { customerId } = params;
    const { cursor } = readQuery(search, { cursor: cursorOf(listName) });
    const wish = wishOf(headers);
    const sight = sightOfCustomer(request, customerId);
    if (sight === undefined) throw new NotFound('customer', customerId);
    const { ids, next, freshness } = await ordersOf(customerId, cursor, wish);
    const own = await customerIn(customerId);
    const { view } = viewPast(customers, customerView, own);
    if (view === undefined) throw new NotFound('customer', customerId);
    const ring = await keyringFor(sight, keys, [customerId]);
    const shown: object[] = [];
    for (let from = 0; from < ids.length; from += atATime) {
      const some = await Promise.all(ids.slice(from, from + atATime).map((orderId) => dataOfOrder(orderId, ring)));
      shown.push(...some.filter((order) => order !== undefined));
    }
    return json(
      200,
      {
        customer: asOfNow(showCustomer(view, ring)),
        events: shownEvents({ events: own, keys: ring, showsPositions: false }),
        orders: shown,
        ...(next !== undefined && { next }),
        freshness,
      },
      {
        'Content-Disposition': `attachment; filename="${customerId}.json"`,
        'Cache-Control': 'no-store',
        ...wish?.headers,
      },
    );
  }

  return route('GET', '/v1/customers/:customerId/data', data);
}
