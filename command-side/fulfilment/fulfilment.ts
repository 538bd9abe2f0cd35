import type { Decider } from '@waybill/shared-kernel/decider.js';
import type { EventType } from '@waybill/shared-kernel/events/catalogue.js';
import type { FulfilmentEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';

/**
 * What carries an order from its placement to its end. Pure: events of the order and its delivery come in, facts about
 * the fulfilment and commands to others go out. What is due after an event follows from the state and the event alone,
 * whether or not it was said before, so after a crash at any point the same events again make up for what was not
 * done. Every command it asks for is silence the second time.
 */
export type FulfilmentState =
  | { readonly status: 'none' }
  | { readonly status: 'confirming'; readonly orderId: string }
  | { readonly status: 'delivering'; readonly orderId: string; readonly deliveryId: string }
  | { readonly status: 'cancelled'; readonly orderId: string; readonly deliveryId: string | undefined }
  | { readonly status: 'completed'; readonly orderId: string; readonly outcome: 'delivered' | 'failed' };

/** What it asks of the order and the delivery; what else these need to know, their own streams say. */
export type FulfilmentCommand =
  | { readonly type: 'ConfirmOrder'; readonly orderId: string }
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

function evolve(state: FulfilmentState, event: FulfilmentEvent): FulfilmentState {
  const { orderId } = event.data;
  switch (event.type) {
    case 'FulfilmentStarted':
      return state.status === 'none' ? { status: 'confirming', orderId } : state;
    case 'FulfilmentDeliveryRequested':
      return isEnded(state) ? state : { status: 'delivering', orderId, deliveryId: event.data.deliveryId };
    case 'FulfilmentCancelled': {
      if (isEnded(state)) return state;
      const deliveryId = state.status === 'delivering' ? state.deliveryId : undefined;
      return { status: 'cancelled', orderId, deliveryId };
    }
    case 'FulfilmentCompleted':
      return isEnded(state) ? state : { status: 'completed', orderId, outcome: event.data.outcome };
    default:
      event satisfies never;
      return state;
  }
}

/**
 * The order an event is about where fulfilment has to do with it; `undefined` passes it by, as all imported history.
 * Known without the payload, so that an event whose payload is broken still is about one.
 */
export function orderConcerned({ type, imported, partitionKey }: Occurrence): string | undefined {
  return imported !== true && concerning.has(type) ? partitionKey : undefined;
}

type Occurrence = Pick<RecordedEvent, 'type' | 'imported' | 'partitionKey'>;

const concerning: ReadonlySet<string> = new Set<EventType>([
  'OrderPlaced',
  'OrderConfirmed',
  'OrderRejected',
  'OrderCancelled',
  'OrderDispatched',
  'DeliveryScheduled',
  'DeliveryCompleted',
  'DeliveryFailed',
  'FulfilmentResumed',
]);

/** What an event means for the fulfilment; nothing, when it meant it before. */
export function react(state: FulfilmentState, event: KnownEvent): readonly FulfilmentEvent[] {
  switch (event.type) {
    case 'OrderPlaced': {
      if (state.status !== 'none') return [];
      const { orderId, customerId } = event.data;
      return [{ type: 'FulfilmentStarted', data: { orderId, customerId } }];
    }
    case 'OrderConfirmed': {
      if (state.status !== 'confirming') return [];
      const { orderId } = state;
      return [{ type: 'FulfilmentDeliveryRequested', data: { orderId, deliveryId: deliveryIdOf(orderId) } }];
    }
    case 'OrderRejected':
    case 'OrderCancelled':
      if (state.status === 'none' || isEnded(state)) return [];
      return [{ type: 'FulfilmentCancelled', data: { orderId: state.orderId } }];
    case 'DeliveryCompleted':
      if (state.status !== 'delivering') return [];
      return [{ type: 'FulfilmentCompleted', data: { orderId: state.orderId, outcome: 'delivered' } }];
    case 'DeliveryFailed':
      if (state.status !== 'delivering' || event.data.next === 'retry') return [];
      return [{ type: 'FulfilmentCompleted', data: { orderId: state.orderId, outcome: 'failed' } }];
    default:
      return [];
  }
}

/** What is to be done in this state once `event` has happened: now for the first time, or again. */
export function dueCommands(state: FulfilmentState, event: KnownEvent): readonly FulfilmentCommand[] {
  switch (state.status) {
    case 'none':
      return [];
    case 'confirming':
      return [{ type: 'ConfirmOrder', orderId: state.orderId }];
    case 'delivering': {
      const { orderId, deliveryId } = state;
      if (event.type === 'OrderConfirmed') return [{ type: 'ScheduleDelivery', orderId, deliveryId }];
      // The pick-up may have died between the order's stream and the delivery's.
      if (event.type !== 'OrderDispatched') return [];
      return [{ type: 'RecordPickUp', orderId, deliveryId, courierId: event.data.courierId }];
    }
    case 'cancelled': {
      const { orderId, deliveryId } = state;
      if (deliveryId === undefined) return [];
      switch (event.type) {
        case 'OrderCancelled':
        case 'OrderRejected':
        // It was being scheduled as the order was cancelled.
        case 'DeliveryScheduled':
          return [{ type: 'CancelDelivery', orderId, deliveryId }];
        default:
          return [];
      }
    }
    case 'completed': {
      const { orderId } = state;
      if (event.type === 'DeliveryCompleted') return [{ type: 'RecordDelivery', orderId }];
      if (event.type !== 'DeliveryFailed' || event.data.next === 'retry') return [];
      return [{ type: 'RecordDeliveryFailure', orderId, reason: event.data.reason }];
    }
    default:
      return state satisfies never;
  }
}

function isEnded(state: FulfilmentState): boolean {
  return state.status === 'cancelled' || state.status === 'completed';
}

/** The process manager as an aggregate: what it is told is an event, what it decides are facts of its own. */
export const fulfilment: Decider<KnownEvent, FulfilmentState, FulfilmentEvent> = {
  initialState: { status: 'none' },
  decide: (event, state) => react(state, event),
  evolve,
};
