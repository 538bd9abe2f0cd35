import type { Decider } from '@waybill/shared-kernel/decider.js';
import { IdTaken, NotFound, RuleViolated } from '@waybill/shared-kernel/errors.js';
import type { OrderEvent, OrderPlaced } from '@waybill/shared-kernel/events/order.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { importedHistory } from '../handling/imported-history.js';

/** What can be asked of an order. `by` is the role in which it is cancelled. */
export type OrderCommand =
  | { readonly type: 'PlaceOrder'; readonly order: OrderPlaced }
  | { readonly type: 'ConfirmOrder'; readonly orderId: string }
  | { readonly type: 'RejectOrder'; readonly orderId: string; readonly reason: string }
  | { readonly type: 'CancelOrder'; readonly orderId: string; readonly reason: string; readonly by: string }
  | { readonly type: 'DispatchOrder'; readonly orderId: string; readonly courierId: string }
  | { readonly type: 'RecordDelivery'; readonly orderId: string }
  | { readonly type: 'RecordDeliveryFailure'; readonly orderId: string; readonly reason: string };

export type OrderState = { readonly status: 'none' } | PlacedOrder;

/** An order that exists: what it was placed with, and where it stands. */
export type PlacedOrder =
  | (Placement & { readonly status: 'placed' | 'confirmed' })
  | (Placement & { readonly status: 'out_for_delivery'; readonly courierId: string })
  | (Placement & { readonly status: FinalStatus });

type FinalStatus = 'rejected' | 'cancelled' | 'delivered' | 'delivery_failed';

interface Placement extends Pick<
  OrderPlaced,
  'orderId' | 'customerId' | 'deliveryAddress' | 'paymentToken' | 'promisedBy'
> {
  readonly merchantIds: readonly string[];
  readonly imported: boolean;
}

export type OrderHistory = OrderEvent & { readonly imported?: true };

function evolve(state: OrderState, event: OrderHistory): OrderState {
  if (event.type === 'OrderPlaced') {
    return state.status === 'none' ? placed(event.data, event.imported === true) : state;
  }
  if (state.status === 'none' || isFinal(state)) return state;
  switch (event.type) {
    case 'OrderConfirmed':
      return state.status === 'placed' ? { ...state, status: 'confirmed' } : state;
    case 'OrderRejected':
      return { ...placedFacts(state), status: 'rejected' };
    case 'OrderCancelled':
      return { ...placedFacts(state), status: 'cancelled' };
    case 'OrderDispatched':
      return { ...placedFacts(state), status: 'out_for_delivery', courierId: event.data.courierId };
    case 'OrderDelivered':
      return { ...placedFacts(state), status: 'delivered' };
    case 'OrderDeliveryFailed':
      return { ...placedFacts(state), status: 'delivery_failed' };
    default:
      event satisfies never;
      return state;
  }
}

function decide(command: OrderCommand, state: OrderState): readonly OrderEvent[] {
  if (command.type === 'PlaceOrder') {
    if (state.status !== 'none') throw new IdTaken(command.order.orderId);
    return [{ type: 'OrderPlaced', data: command.order }];
  }
  const { orderId } = command;
  if (state.status === 'none') throw new NotFound('order', orderId);
  if (state.imported) throw importedHistory('order', orderId);
  switch (command.type) {
    case 'ConfirmOrder':
      switch (state.status) {
        case 'placed':
          return [{ type: 'OrderConfirmed', data: { orderId } }];
        case 'rejected':
        case 'cancelled':
          throw new RuleViolated(`order-${state.status}`, `Order ${orderId} is ${state.status}.`);
        default:
          return [];
      }
    case 'RejectOrder':
      switch (state.status) {
        case 'placed':
          return [{ type: 'OrderRejected', data: { orderId, reason: command.reason, timeEstimated: false } }];
        case 'rejected':
          return [];
        default:
          throw new RuleViolated('order-decided', `Order ${orderId} is ${state.status} and can no longer be rejected.`);
      }
    case 'CancelOrder':
      switch (state.status) {
        case 'placed':
        case 'confirmed': {
          const { reason, by } = command;
          return [{ type: 'OrderCancelled', data: { orderId, reason, by, timeEstimated: false } }];
        }
        case 'cancelled':
          return [];
        case 'rejected':
          throw new RuleViolated('order-rejected', `Order ${orderId} is rejected; there is nothing to cancel.`);
        default:
          throw new RuleViolated('order-dispatched', `Order ${orderId} was picked up and can no longer be cancelled.`);
      }
    case 'DispatchOrder':
      return dispatch(state, command.courierId);
    case 'RecordDelivery':
      switch (state.status) {
        case 'out_for_delivery':
          return [{ type: 'OrderDelivered', data: { orderId } }];
        case 'delivered':
          return [];
        default:
          throw new RuleViolated('order-not-dispatched', `Order ${orderId} is ${state.status}, not out for delivery.`);
      }
    case 'RecordDeliveryFailure':
      switch (state.status) {
        case 'out_for_delivery':
          return [{ type: 'OrderDeliveryFailed', data: { orderId, reason: command.reason } }];
        case 'delivery_failed':
          return [];
        default:
          throw new RuleViolated('order-not-dispatched', `Order ${orderId} is ${state.status}, not out for delivery.`);
      }
    default:
      return command satisfies never;
  }
}

/** The order's stream is the arbiter between pick-up and cancellation: whichever event is in it first has won. */
function dispatch(state: PlacedOrder, courierId: string): readonly OrderEvent[] {
  const { orderId } = state;
  switch (state.status) {
    case 'confirmed':
      return [{ type: 'OrderDispatched', data: { orderId, deliveryId: deliveryIdOf(orderId), courierId } }];
    case 'out_for_delivery':
      if (state.courierId === courierId) return [];
      throw new RuleViolated('order-dispatched', `Order ${orderId} was picked up by another courier.`);
    case 'placed':
      throw new RuleViolated('order-not-confirmed', `Order ${orderId} is not confirmed yet.`);
    case 'cancelled':
    case 'rejected':
    case 'delivered':
    case 'delivery_failed':
      throw new RuleViolated(`order-${state.status.replace('_', '-')}`, `Order ${orderId} is ${state.status}.`);
    default:
      return state satisfies never;
  }
}

function placed(order: OrderPlaced, imported: boolean): PlacedOrder {
  const { orderId, customerId, deliveryAddress, paymentToken, promisedBy } = order;
  const merchantIds = [...new Set(order.lines.flatMap((line) => line.merchantId ?? []))];
  return { status: 'placed', orderId, customerId, merchantIds, deliveryAddress, paymentToken, promisedBy, imported };
}

function placedFacts(order: Placement): Placement {
  const { orderId, customerId, merchantIds, deliveryAddress, paymentToken, promisedBy, imported } = order;
  return { orderId, customerId, merchantIds, deliveryAddress, paymentToken, promisedBy, imported };
}

function isFinal(state: PlacedOrder): state is PlacedOrder & { readonly status: FinalStatus } {
  switch (state.status) {
    case 'rejected':
    case 'cancelled':
    case 'delivered':
    case 'delivery_failed':
      return true;
    default:
      return false;
  }
}

export const order: Decider<OrderCommand, OrderState, OrderHistory> = {
  initialState: { status: 'none' },
  decide,
  evolve,
};
