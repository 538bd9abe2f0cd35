import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { deliveries, deliveryView, type DeliveryView } from '@waybill/projections/deliveries.js';
import { viewPast } from '@waybill/projections/replay/view-past.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { scopeOfDeliveries, sightOfDelivery, type DeliveryParties } from './access.js';
import { wishOf } from './consistency.js';
import { cursorOf } from './cursor.js';
import type { Means, Model } from './model.js';
import { notShown } from './not-shown.js';
import { defaultLimit, id, limit, oneOf, readQuery } from './query.js';
import { documentAnswer, readingOf } from './reading.js';

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
  show: (view, keys) => ({ ...view, address: keys.open(view.address) }),
};

const filters = {
  courierId: id,
  status: oneOf(deliveryStatuses),
  limit,
  cursor: cursorOf(deliveries.collection.name),
};

/** A delivery of which nothing is known. */
const unknown: DeliveryParties = { status: 'unknown' };

/** The delivery as far as the log shows it, for deciding who may wait for it; `undefined` where it has nothing of it. */
async function deliveryInLog(means: Means, deliveryId: string): Promise<DeliveryParties | undefined> {
  const events: RecordedEvent[] = [];
  for await (const event of readWholeStream(means.events, streamName('delivery', deliveryId))) events.push(event);
  return events.length === 0 ? undefined : (viewPast(deliveries, deliveryView, events).view ?? unknown);
}

export function deliveryRoutes(means: Means): readonly Route[] {
  const reading = readingOf(model, means);

  async function isVisibleInLog(deliveryId: string, caller: ApiRequest['caller']): Promise<boolean> {
    const known = await deliveryInLog(means, deliveryId);
    return known !== undefined && sightOfDelivery(caller, known) !== undefined;
  }

  async function list({ search, headers, caller }: ApiRequest): Promise<Answer> {
    const { limit: most = defaultLimit, cursor, ...given } = readQuery(search, filters);
    const wish = wishOf(headers);
    const { sight, filters: equal } = scopeOfDeliveries(caller, given);
    return reading.page({ equal: { ...equal }, limit: most, cursor }, sight, wish);
  }

  async function one(request: ApiRequest<'/v1/deliveries/:deliveryId'>): Promise<Answer> {
    const { params, search, headers, caller } = request;
    const { deliveryId } = params;
    readQuery(search, {});
    const wish = wishOf(headers);
    if (wish !== undefined && !(await isVisibleInLog(deliveryId, caller))) throw new NotFound('delivery', deliveryId);
    const found = await reading.find(deliveryId, wish);
    const view = found && deliveryView(found.document.sections, found.document.revisions);
    const sight = view && sightOfDelivery(caller, view);
    const rendered = sight && (await reading.render(found, sight));
    if (found === undefined || rendered === undefined) {
      const isTheirs = found?.document.degraded !== undefined && (await isVisibleInLog(deliveryId, caller));
      throw notShown('delivery', deliveryId, isTheirs ? found : undefined);
    }
    return documentAnswer(found, rendered, wish?.headers);
  }

  return [
    route('GET', '/v1/deliveries', { roles: ['courier', 'operator', 'auditor'] }, list),
    route('GET', '/v1/deliveries/:deliveryId', { roles: ['customer', 'courier', 'operator', 'auditor'] }, one),
  ];
}
