import { fulfilmentStream, type FulfilmentHistory } from '@waybill/command-side/fulfilment/fulfilment-stream.js';
import type { EventType } from '@waybill/shared-kernel/events/catalogue.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import type { History } from './history.js';

/** The ways that the streams about an order can go. Nothing happens twice, and nothing after the end. */
const ways = {
  order:
    /^OrderPlaced( OrderRejected| OrderCancelled| OrderConfirmed( OrderCancelled| OrderDispatched( OrderDelivered| OrderDeliveryFailed)?)?)?$/u,
  payment: /^(PaymentDeclined|PaymentVoided|PaymentAuthorised( PaymentVoided| PaymentCaptured( PaymentRefunded)?)?)$/u,
  delivery:
    /^DeliveryScheduled( DeliveryAssigned( DeliveryPositionReported)* DeliveryReleased)*( DeliveryAssigned( DeliveryPositionReported)*)?( DeliveryCancelled| DeliveryPickedUp( DeliveryPositionReported| DeliveryFailed-retry)*( DeliveryCompleted| DeliveryFailed-return( DeliveryPositionReported)*( DeliveryReturned)?)?)?$/u,
} as const;

/** What the order's stream and the delivery's tell both, or neither. */
const together = [
  ['OrderDispatched', 'DeliveryPickedUp'],
  ['OrderDelivered', 'DeliveryCompleted'],
  ['OrderDeliveryFailed', 'DeliveryFailed-return'],
] as const;

/** What can happen to a fulfilment once it is over: somebody asks for it, and the money goes back. */
const afterwards: ReadonlySet<EventType> = new Set([
  'FulfilmentRetryRequested',
  'FulfilmentCompensationRequested',
  'FulfilmentPaymentRequested',
  'FulfilmentPaymentSettled',
]);

/** What somebody can ask for again and again. */
const repeatable: ReadonlySet<EventType> = new Set(['FulfilmentRetryRequested', 'FulfilmentCompensationRequested']);

/** Every stream goes a way that it can go. */
export function checkStreams(history: History): readonly string[] {
  const amiss: string[] = [];
  for (const category of ['order', 'payment', 'delivery'] as const) {
    for (const id of history.ids(category)) {
      const way = history.of(category, id).map(nameOf).join(' ');
      if (!ways[category].test(way)) amiss.push(`${category} ${id}: ${way}`);
    }
  }
  for (const orderId of history.ids('order')) {
    const order = new Set(history.typesOf('order', orderId));
    const delivery = new Set(history.of('delivery', deliveryIdOf(orderId)).map(nameOf));
    for (const [ofOrder, ofDelivery] of together) {
      if (order.has(ofOrder) === delivery.has(ofDelivery)) continue;
      amiss.push(`order ${orderId}: of ${ofOrder} and ${ofDelivery} only one happened`);
    }
    if (order.has('OrderCancelled') && delivery.size > 0 && !delivery.has('DeliveryCancelled')) {
      amiss.push(`order ${orderId}: it is cancelled, and its delivery is not`);
    }
  }
  for (const orderId of history.ids('fulfilment')) amiss.push(...checkFulfilment(orderId, history));
  return amiss;
}

function nameOf({ type, data }: KnownEvent): string {
  return type === 'DeliveryFailed' ? `${type}-${data.next}` : type;
}

function checkFulfilment(orderId: string, history: History): readonly string[] {
  const amiss: string[] = [];
  const seen = new Set<string>();
  let state = fulfilmentStream.initialState;
  for (const event of history.of('fulfilment', orderId) as readonly (KnownEvent & FulfilmentHistory)[]) {
    const { type, revision } = event;
    const what = partOf(event);
    const isFirst = type === 'FulfilmentStarted';
    if (isFirst !== (revision === 0)) amiss.push(`order ${orderId}: ${type} at ${revision} of its fulfilment`);
    if (seen.has(what) && !repeatable.has(type)) amiss.push(`order ${orderId}: ${what} twice in its fulfilment`);
    if (state.progress.status === 'completed' && !afterwards.has(type)) {
      amiss.push(`order ${orderId}: ${what} after the end of its fulfilment`);
    }
    seen.add(what);
    state = fulfilmentStream.evolve(state, event);
  }
  return amiss;
}

/** What happens once. */
function partOf({ type, data }: KnownEvent): string {
  switch (type) {
    case 'FulfilmentPaymentSettled':
      return `${type} ${data.status}`;
    case 'FulfilmentPaymentRequested':
      return `${type} ${data.step} ${data.attempt}`;
    case 'FulfilmentDeadlineMissed':
      return `${type} ${data.deadline} ${data.dueAt}`;
    default:
      return type;
  }
}
