import type { PaymentStep, StockItem } from '@waybill/shared-kernel/events/fulfilment.js';
import type { ManagerInput } from './fulfilment.js';
import { isEnding, owesStock, type Asked, type BegunFulfilment, type FulfilmentState } from './fulfilment-state.js';

/** What it asks of others; what else these need to know, their own streams say. */
export type FulfilmentCommand =
  | { readonly type: 'ReserveStock'; readonly orderId: string; readonly items: readonly StockItem[] }
  | {
      readonly type: 'ReleaseStock';
      readonly orderId: string;
      readonly items: readonly StockItem[];
      /** They were set aside; otherwise it is for the products to know. */
      readonly isCertain: boolean;
    }
  | {
      readonly type: 'RequestPayment';
      readonly orderId: string;
      readonly step: PaymentStep;
      /** Minor units. */
      readonly amount: number;
      readonly currency: string;
    }
  | { readonly type: 'ConfirmOrder'; readonly orderId: string }
  | { readonly type: 'RejectOrder'; readonly orderId: string; readonly reason: string }
  | { readonly type: 'CancelOrder'; readonly orderId: string; readonly reason: string; readonly by: string }
  | { readonly type: 'ScheduleDelivery'; readonly orderId: string; readonly deliveryId: string }
  | { readonly type: 'CancelDelivery'; readonly orderId: string; readonly deliveryId: string }
  | {
      readonly type: 'RecordPickUp';
      readonly orderId: string;
      readonly deliveryId: string;
      readonly courierId: string;
    }
  | { readonly type: 'RecordDelivery'; readonly orderId: string }
  | { readonly type: 'RecordDeliveryFailure'; readonly orderId: string; readonly reason: string };

/** The commands that are due in this state after this input, whether it comes for the first time or again. */
export function dueCommands(state: FulfilmentState, input: ManagerInput): readonly FulfilmentCommand[] {
  if (state.status === 'none') return [];
  return [...byState(state), ...byInput(state, input)];
}

function byState(state: BegunFulfilment): readonly FulfilmentCommand[] {
  const { orderId } = state;
  switch (state.status) {
    case 'reserving':
      return [{ type: 'ReserveStock', orderId, items: state.items }];
    case 'authorising':
    case 'capturing':
      return payment(state, state.asked);
    case 'rejecting':
      return [{ type: 'RejectOrder', orderId, reason: state.reason }];
    case 'confirming':
      return [{ type: 'ConfirmOrder', orderId }];
    case 'compensating': {
      const release = owesStock(state) && state.goods === 'here' ? [releaseOf(state)] : [];
      return [...release, ...payment(state, state.asked)];
    }
    case 'delivering':
    case 'completed':
      return [];
    default:
      return state satisfies never;
  }
}

function releaseOf({ orderId, items, reserved }: BegunFulfilment): FulfilmentCommand {
  return { type: 'ReleaseStock', orderId, items: reserved ?? items, isCertain: reserved !== undefined };
}

function payment({ orderId, charge }: BegunFulfilment, asked: Asked | undefined): readonly FulfilmentCommand[] {
  if (asked === undefined || charge === undefined) return [];
  return [{ type: 'RequestPayment', orderId, step: asked.step, ...charge }];
}

function byInput(state: BegunFulfilment, input: ManagerInput): readonly FulfilmentCommand[] {
  const { orderId, deliveryId } = state;
  const ending = isEnding(state);
  switch (input.type) {
    case 'OrderConfirmed':
    case 'FulfilmentRetryRequested':
      return deliveryId === undefined || ending ? [] : [{ type: 'ScheduleDelivery', orderId, deliveryId }];
    case 'OrderDispatched':
      // The pick-up may have died between the order's stream and the delivery's.
      if (deliveryId === undefined || ending) return [];
      return [{ type: 'RecordPickUp', orderId, deliveryId, courierId: input.data.courierId }];
    case 'OrderCancelled':
    case 'OrderRejected':
    // It was being scheduled as the order was cancelled.
    case 'DeliveryScheduled':
      if (deliveryId === undefined || !('outcome' in state) || state.outcome !== 'cancelled') return [];
      return [{ type: 'CancelDelivery', orderId, deliveryId }];
    case 'DeliveryCompleted':
      return state.status === 'delivering' ? [] : [{ type: 'RecordDelivery', orderId }];
    case 'DeliveryFailed':
      if (input.data.next === 'retry' || state.status === 'delivering') return [];
      return [{ type: 'RecordDeliveryFailure', orderId, reason: input.data.reason }];
    case 'DeliveryReturned':
      if (state.status !== 'compensating' || !owesStock(state)) return [];
      return [releaseOf(state)];
    case 'FulfilmentDeadlineMissed': {
      if (input.data.deadline !== 'courier' || ending) return [];
      return [{ type: 'CancelOrder', orderId, reason: 'No courier picked it up in time.', by: 'system' }];
    }
    case 'PaymentDeclined':
    case 'PaymentVoided':
    case 'PaymentRefunded':
      // It had been paid for, and is not any more. What is out for delivery the order does not let go of.
      if (state.status !== 'confirming' && state.status !== 'delivering') return [];
      return [{ type: 'CancelOrder', orderId, reason: 'It is no longer paid for.', by: 'system' }];
    case 'FulfilmentCompensationRequested':
      return ending ? [] : [{ type: 'CancelOrder', orderId, reason: input.data.reason, by: 'operator' }];
    default:
      return [];
  }
}
