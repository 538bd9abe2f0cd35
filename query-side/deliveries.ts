import type { Asker, Visibility } from '@waybill/infra/http/access.js';
import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { deliveries, deliveryView, type DeliveryView } from '@waybill/projections/read-models/deliveries.js';
import { isUnderWay } from '@waybill/projections/read-models/delivery-progress.js';
import { foldOn } from '@waybill/projections/read-models/fold-on.js';
import { NotFound, Unavailable } from '@waybill/shared-kernel/errors.js';
import { isStreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { wishOf } from './reading/consistency.js';
import { pageCursorOf } from './reading/cursor.js';
import type { Dependencies, Model } from './reading/model.js';
import { notFoundOrQuarantined, notThere } from './reading/not-found-or-quarantined.js';
import { noKeys, type Keyring } from './personal-data.js';
import { defaultLimit, id, limit, oneOf, readQuery } from './reading/query.js';
import { documentAnswer, readingOf, type Found } from './reading/reading.js';
import { scopeOfDeliveries, seesEveryDelivery, visibilityOfDelivery, type DeliveryParties } from './visibility.js';

export const deliveryStatuses = [
  'open',
  'assigned',
  'picked_up',
  'delivered',
  'failed',
  'returned',
  'cancelled',
] as const satisfies readonly DeliveryView['status'][];

const model: Model<DeliveryView> = {
  projection: deliveries,
  view: deliveryView,
  subject: (view) => view.customerId,
  show: showDelivery,
};

/** What couriers are shown of deliveries of theirs: of those that they no longer have, nothing personal. */
const modelOfOwn: Model<DeliveryView> = {
  ...model,
  subject: (view) => (isUnderWay(view.status) ? view.customerId : undefined),
  show: (view, keys) => showDelivery(view, isUnderWay(view.status) ? keys : noKeys),
};

/** A parcel ends where somebody lives: its last position is as personal as its address then. */
function showDelivery({ position, ...view }: DeliveryView, keys: Keyring): object {
  const { status, customerId, address } = view;
  const mayShow = isUnderWay(status) || (customerId !== undefined && keys.opens(customerId));
  return { ...view, address: keys.open(address), ...(position !== undefined && mayShow && { position }) };
}

const filters = {
  courierId: id,
  status: oneOf(deliveryStatuses),
  limit,
  cursor: pageCursorOf(deliveries.collection.name),
};

function visibilityOf({ document }: Found, asker: Asker): Visibility | undefined {
  const view = deliveryView(document.sections, document.revisions);
  return view && visibilityOfDelivery(asker, view);
}

/** A delivery of which nothing is known. */
const unknown: DeliveryParties = { status: 'unknown' };

export function deliveryRoutes(dependencies: Dependencies): readonly Route[] {
  const reading = readingOf(model, dependencies);
  const readingOwn = readingOf(modelOfOwn, dependencies);

  /** By its document and what came after that: whoever may know of it may be somebody whom only the log knows yet. */
  async function isVisibleInLog(deliveryId: string, asker: Asker): Promise<boolean> {
    const before = await reading.find(deliveryId, undefined);
    const now = await foldOn(deliveries, deliveryId, dependencies.events, before?.document);
    const { sections, revisions, isWhole } = now;
    if (revisions.delivery === undefined && isWhole) return false;
    return visibilityOfDelivery(asker, deliveryView(sections, revisions) ?? unknown) !== undefined;
  }

  /**
   * Decides before a wait, by what the log has; while that is down, or where it has not all any more, what is shown to the
   * caller may be shown again.
   */
  async function mayKnowOf(deliveryId: string, asker: Asker): Promise<boolean> {
    try {
      return await isVisibleInLog(deliveryId, asker);
    } catch (error) {
      if (!(error instanceof Unavailable) && !isStreamFault(error)) throw error;
      if (isStreamFault(error) && seesEveryDelivery(asker)) return true;
      const found = await reading.find(deliveryId, undefined);
      if (found !== undefined && visibilityOf(found, asker) !== undefined) return true;
      if (error instanceof Unavailable) throw error;
      return false;
    }
  }

  async function list(request: ApiRequest): Promise<Answer> {
    const { search, headers } = request;
    const { limit: most = defaultLimit, cursor, ...given } = readQuery(search, filters);
    const wish = wishOf(headers);
    const { visibility, filters: equal } = scopeOfDeliveries(request, given);
    const shown = seesEveryDelivery(request) ? reading : readingOwn;
    return shown.page({ equal: { ...equal }, limit: most, cursor }, visibility, wish);
  }

  async function one(request: ApiRequest<'/v1/deliveries/:deliveryId'>): Promise<Answer> {
    const { params, search, headers } = request;
    const { deliveryId } = params;
    readQuery(search, {});
    const wish = wishOf(headers);
    if (wish !== undefined && !(await mayKnowOf(deliveryId, request))) throw new NotFound('delivery', deliveryId);
    const found = await reading.find(deliveryId, wish);
    const visibility = found && visibilityOf(found, request);
    const rendered = visibility && (await reading.render(found, visibility));
    if (found === undefined) throw await notThere('delivery', deliveryId, request, dependencies.events);
    if (rendered === undefined) {
      const isTheirs = found.document.degraded !== undefined && (await mayKnowOf(deliveryId, request));
      throw notFoundOrQuarantined('delivery', deliveryId, isTheirs ? found : undefined);
    }
    return documentAnswer(found, rendered, wish?.headers);
  }

  return [route('GET', '/v1/deliveries', list), route('GET', '/v1/deliveries/:deliveryId', one)];
}
