/** Events of `fulfilment-<orderId>`, the process manager's memory. A storage format: golden JSON in `golden/`. */
export type FulfilmentEvent =
  | { readonly type: 'FulfilmentStarted'; readonly data: FulfilmentStarted }
  | { readonly type: 'FulfilmentDeliveryRequested'; readonly data: OfDeliveredOrder }
  | { readonly type: 'FulfilmentCancelled'; readonly data: OfOrder }
  | { readonly type: 'FulfilmentCompleted'; readonly data: FulfilmentCompleted };

/** That it stands still, and goes on: in the same stream, told apart because what it has come to does not change by it. */
export type SuspensionEvent =
  | { readonly type: 'FulfilmentSuspended'; readonly data: FulfilmentSuspended }
  | { readonly type: 'FulfilmentResumed'; readonly data: FulfilmentResumed };

export interface OfOrder {
  readonly orderId: string;
}

export interface FulfilmentStarted extends OfOrder {
  readonly customerId: string;
}

export interface OfDeliveredOrder extends OfOrder {
  readonly deliveryId: string;
}

export interface FulfilmentCompleted extends OfOrder {
  readonly outcome: 'delivered' | 'failed';
}

/** The event that it could not act upon, and the class of the error: a message might tell what is not for everybody. */
export interface FulfilmentSuspended extends OfOrder {
  readonly eventId: string;
  readonly eventType: string;
  readonly stream: string;
  readonly revision: number;
  readonly error: string;
}

/** It begins again with that event. Who wants it is the event's actor. */
export interface FulfilmentResumed extends OfOrder {
  readonly reason: string | null;
}
