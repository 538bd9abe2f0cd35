import { json, route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { deliveries, deliveryView, type DeliveryView } from '@waybill/projections/read-models/deliveries.js';
import { listFreshness } from '../reading/freshness.js';
import { orderView, type OrderView } from '@waybill/projections/read-models/orders.js';
import { degradedView } from '@waybill/projections/quarantine/degraded-view.js';
import type { StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { wishOf, type Wish } from '../reading/consistency.js';
import { recent, usualTime } from './estimated-arrival.js';
import type { OrderFinder } from '../orders/find-order.js';
import { readLiveOf } from '../reading/live-model.js';
import type { Dependencies } from '../reading/model.js';
import { readQuery } from '../reading/query.js';
import { trackOrder } from './track-order.js';
import { epochMs } from '@waybill/shared-kernel/ports/clock.js';

/** Where an order is: of its own document and that of its delivery. With each moment the answer is another. */
export function trackingRoute(orders: OrderFinder, dependencies: Dependencies): Route {
  const { readStore, clock } = dependencies;
  const readDeliveries = readLiveOf(deliveries, dependencies);

  /** The delivery's document, `undefined` where there is none, and how far it is behind. */
  async function findDelivery(orderId: string, wish: Wish | undefined) {
    return readDeliveries(wish, async ({ projection: { collection }, gauge }) => {
      const lags = await gauge.lags();
      const [document] = await readStore.load(collection, [deliveryIdOf(orderId)]);
      return { document, lags };
    });
  }

  /** How long deliveries have taken of late, asked where one is on the way. */
  async function usualTimeFor({ status }: OrderView): Promise<number | undefined> {
    if (status !== 'out_for_delivery') return undefined;
    const query = { equal: { status: 'delivered' }, limit: recent };
    const delivered = await readDeliveries(undefined, ({ projection: { collection } }) =>
      readStore.list(collection, query),
    );
    return usualTime(delivered.flatMap((document) => viewOf(document) ?? []));
  }

  async function tracking(request: ApiRequest<'/v1/orders/:orderId/tracking'>): Promise<Answer> {
    const { params, search, headers } = request;
    const { orderId } = params;
    readQuery(search, {});
    const wish = wishOf(headers);
    await orders.admit(orderId, request, wish);
    const [{ found, visibility }, { document, lags }] = await Promise.all([
      orders.find(orderId, request, wish),
      findDelivery(orderId, wish),
    ]);
    const order = visibility && found && orderView(found.document.sections, found.document.revisions);
    if (found === undefined || order === undefined) throw await orders.refusal(orderId, request, found);
    const usual = await usualTimeFor(order);
    const delivery = document && viewOf(document);
    const degraded = found.document.degraded ?? document?.degraded;
    const tracked = {
      ...trackOrder(order, { delivery, usual, now: epochMs(clock) }),
      ...(degraded !== undefined && { degraded: degradedView(degraded) }),
      freshness: listFreshness(
        document === undefined ? [found.document] : [found.document, document],
        [found.lags, lags].map((ofEach) => ofEach[found.document.partition] ?? 0),
      ),
    };
    return json(200, tracked, { 'Cache-Control': 'no-store', ...wish?.headers });
  }

  return route('GET', '/v1/orders/:orderId/tracking', tracking);
}

function viewOf({ sections, revisions }: StoredDocument): DeliveryView | undefined {
  return deliveryView(sections, revisions);
}
