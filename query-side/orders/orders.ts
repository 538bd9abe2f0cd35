import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { merchantStatus, orders, orderView, type OrderView } from '@waybill/projections/read-models/orders.js';
import { searchedWords } from '@waybill/projections/read-models/words.js';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import type { TurnsOf } from '@waybill/shared-kernel/one-a-turn.js';
import { wishOf } from '../reading/consistency.js';
import { pageCursorOf } from '../reading/cursor.js';
import { deliveryStepsOf } from './delivery-steps.js';
import { isNamed, weakETag } from '../reading/etag.js';
import { orderFinder } from './find-order.js';
import type { Dependencies, Model } from '../reading/model.js';
import { orderInThePast, timelineRoute } from './past-order.js';
import type { Keyring } from '../personal-data.js';
import { defaultLimit, id, limit, oneOf, readQuery, searchText, time } from '../reading/query.js';
import { documentAnswer, readingOf, type PageQuery } from '../reading/reading.js';
import { scopeOfOrders } from '../visibility.js';
import { trackingRoute } from '../tracking/tracking.js';

export const orderStatuses = [
  'placed',
  'confirmed',
  'rejected',
  'cancelled',
  'out_for_delivery',
  'delivered',
  'delivery_failed',
] as const satisfies readonly OrderView['status'][];

/** The order of a view with its address opened. */
export function showOrder(view: OrderView, keys: Keyring): object {
  return { ...view, deliveryAddress: keys.open(view.deliveryAddress) };
}

const model: Model<OrderView> = {
  projection: orders,
  view: orderView,
  subject: (view) => view.customerId,
  show: showOrder,
};

const filters = {
  customerId: id,
  merchantId: id,
  status: oneOf(orderStatuses),
  placedFrom: time,
  placedTo: time,
  q: searchText,
  limit,
  cursor: pageCursorOf(orders.collection.name),
};

/** The orders of a customer or a merchant in a status, as one index has them; where both are named, of the customer. */
function ofWhom(
  customerId: string | undefined,
  merchantId: string | undefined,
  status: OrderView['status'] | undefined,
): Pick<PageQuery, 'equal' | 'contains'> {
  if (customerId === undefined && merchantId !== undefined && status !== undefined) {
    return { contains: { merchantStatus: merchantStatus(merchantId, status) } };
  }
  return {
    equal: { ...(customerId !== undefined && { customerId }), ...(status !== undefined && { status }) },
    ...(merchantId !== undefined && { contains: { merchantId } }),
  };
}

/** A turn of the caller's is waited for before each piece of long work. */
export function orderRoutes(dependencies: Dependencies, turnsOf: TurnsOf): readonly Route[] {
  const reading = readingOf(model, dependencies);
  const finder = orderFinder(reading, dependencies);
  const stepsOf = deliveryStepsOf(dependencies);

  async function list(request: ApiRequest): Promise<Answer> {
    const { search, headers } = request;
    const {
      status,
      placedFrom,
      placedTo,
      q,
      limit: most = defaultLimit,
      cursor,
      ...parties
    } = readQuery(search, filters);
    if (placedFrom !== undefined && placedTo !== undefined && placedFrom > placedTo) {
      const detail = 'It must not be after placedTo.';
      throw new InvalidInput([{ pointer: '/placedFrom', parameter: 'placedFrom', detail }], 'The query is not valid.');
    }
    const wish = wishOf(headers);
    const scope = scopeOfOrders(request, parties);
    const { customerId, merchantId } = scope.filters;
    const query = {
      ...ofWhom(customerId, merchantId, status),
      ...(q !== undefined && { startsWith: { word: searchedWords(q) } }),
      ...(placedFrom !== undefined && { from: placedFrom }),
      ...(placedTo !== undefined && { to: placedTo }),
      limit: most,
      cursor,
    };
    return reading.page(query, scope.visibility, wish);
  }

  async function one(request: ApiRequest<'/v1/orders/:orderId'>): Promise<Answer> {
    const { params, search, headers } = request;
    const { orderId } = params;
    const at = readQuery(search, { asOf: time, knownAt: time });
    const wish = wishOf(headers);
    if (at.asOf !== undefined || at.knownAt !== undefined) {
      // The log knows every write already.
      return orderInThePast(dependencies, { finder, stepsOf, turnsOf }, orderId, at, request, wish?.headers ?? {});
    }
    await finder.admit(orderId, request, wish);
    const { found, visibility } = await finder.find(orderId, request, wish);
    const rendered = found && visibility && (await reading.render(found, visibility));
    if (found === undefined || rendered === undefined) throw await finder.refusal(orderId, request, found);
    const tag = weakETag(orders, found.document, rendered);
    const answerHeaders = {
      ETag: tag,
      'Cache-Control': 'private, no-cache',
      Vary: 'Authorization',
      ...wish?.headers,
    };
    if (isNamed(headers['if-none-match'], tag)) return { status: 304, headers: answerHeaders };
    return documentAnswer(found, rendered, answerHeaders);
  }

  return [
    route('GET', '/v1/orders', list),
    route('GET', '/v1/orders/:orderId', one),
    trackingRoute(finder, dependencies),
    timelineRoute(finder, dependencies, turnsOf),
  ];
}
