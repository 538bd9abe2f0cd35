import type { Asker, Sight } from '@waybill/infra/http/access.js';
import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { orders, orderView, partiesOf, type OrderView } from '@waybill/projections/orders.js';
import { readEverythingOf } from '@waybill/projections/replay/order.js';
import { searchedWords } from '@waybill/projections/words.js';
import { InvalidInput, NotFound, Unavailable } from '@waybill/shared-kernel/errors.js';
import { wishOf } from './consistency.js';
import { cursorOf } from './cursor.js';
import { isNamed, weakETag } from './etag.js';
import type { Means, Model } from './model.js';
import { notShown } from './not-shown.js';
import { orderInThePast, partiesInLog } from './past-order.js';
import type { Keyring } from './personal-data.js';
import { defaultLimit, id, limit, oneOf, readQuery, searchText, time } from './query.js';
import { documentAnswer, readingOf, type Found } from './reading.js';
import { scopeOfOrders, sightOfOrder } from './sight.js';

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
  cursor: cursorOf(orders.collection.name),
};

function sightOf({ document }: Found, asker: Asker): Sight | undefined {
  return sightOfOrder(asker, partiesOf(document.sections));
}

/** Whoever may read an order may be a party that only the log knows yet. */
async function isVisibleInLog(means: Means, orderId: string, asker: Asker): Promise<boolean> {
  if (sightOfOrder(asker, { merchantIds: [] }) !== undefined) return true;
  const parties = partiesInLog(await readEverythingOf(means.events, orderId));
  return sightOfOrder(asker, parties) !== undefined;
}

export function orderRoutes(means: Means): readonly Route[] {
  const reading = readingOf(model, means);

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
      equal: { ...(customerId !== undefined && { customerId }), ...(status !== undefined && { status }) },
      ...(merchantId !== undefined && { contains: { merchantId } }),
      ...(q !== undefined && { startsWith: { word: searchedWords(q) } }),
      ...(placedFrom !== undefined && { from: placedFrom }),
      ...(placedTo !== undefined && { to: placedTo }),
      limit: most,
      cursor,
    };
    return reading.page(query, scope.sight, wish);
  }

  /** Decides before a wait, by what the log has; while that is down, what is shown to the caller may be shown again. */
  async function mayKnowOf(orderId: string, asker: Asker): Promise<boolean> {
    try {
      return await isVisibleInLog(means, orderId, asker);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const found = await reading.find(orderId, undefined);
      if (found === undefined || sightOf(found, asker) === undefined) throw error;
      return true;
    }
  }

  async function one(request: ApiRequest<'/v1/orders/:orderId'>): Promise<Answer> {
    const { params, search, headers } = request;
    const { orderId } = params;
    const at = readQuery(search, { asOf: time, knownAt: time });
    const wish = wishOf(headers);
    if (at.asOf !== undefined || at.knownAt !== undefined) {
      // The log knows every write already.
      return orderInThePast(means, orderId, at, request, wish?.headers ?? {});
    }
    if (wish !== undefined && !(await mayKnowOf(orderId, request))) throw new NotFound('order', orderId);
    const found = await reading.find(orderId, wish);
    const sight = found && sightOf(found, request);
    const rendered = sight && (await reading.render(found, sight));
    if (found === undefined || rendered === undefined) {
      const isTheirs = found?.document.degraded !== undefined && (await isVisibleInLog(means, orderId, request));
      throw notShown('order', orderId, isTheirs ? found : undefined);
    }
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

  return [route('GET', '/v1/orders', list), route('GET', '/v1/orders/:orderId', one)];
}
