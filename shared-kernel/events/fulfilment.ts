/** Events of `fulfilment-<orderId>`, the process manager's memory. A storage format: golden JSON in `golden/`. */
export type FulfilmentEvent =
  | { readonly type: 'FulfilmentStarted'; readonly data: FulfilmentStarted }
  | { readonly type: 'FulfilmentStockReserved'; readonly data: StockOfOrder }
  | { readonly type: 'FulfilmentStockRefused'; readonly data: StockRefused }
  | { readonly type: 'FulfilmentStockReleased'; readonly data: OfOrder }
  | { readonly type: 'FulfilmentPaymentRequested'; readonly data: PaymentRequested }
  | { readonly type: 'FulfilmentPaymentSettled'; readonly data: PaymentSettled }
  | { readonly type: 'FulfilmentDeliveryRequested'; readonly data: DeliveryRequested }
  | { readonly type: 'FulfilmentDispatched'; readonly data: Awaited }
  | { readonly type: 'FulfilmentDeadlineMissed'; readonly data: DeadlineMissed }
  | { readonly type: 'FulfilmentCancelled'; readonly data: OfOrder }
  | { readonly type: 'FulfilmentFailed'; readonly data: Awaited }
  | { readonly type: 'FulfilmentCompleted'; readonly data: FulfilmentCompleted }
  | { readonly type: 'FulfilmentRetryRequested'; readonly data: AskedByHand }
  | { readonly type: 'FulfilmentCompensationRequested'; readonly data: AskedByHand };

/**
 * Suspension and resumption: in the same stream, but a type of their own, as they do not change how far the fulfilment
 * has come.
 */
export type SuspensionEvent =
  | { readonly type: 'FulfilmentSuspended'; readonly data: FulfilmentSuspended }
  | { readonly type: 'FulfilmentResumed'; readonly data: FulfilmentResumed };

export interface OfOrder {
  readonly orderId: string;
}

/** Version 2. Version 1 knew of neither stock nor payment. */
export interface FulfilmentStarted extends OfOrder {
  readonly customerId: string;
  /** What is ordered, each product once. */
  readonly items: readonly StockItem[];
  /** Minor units; null: there is nothing to pay. */
  readonly amount: number | null;
  readonly currency: string | null;
}

export interface StockItem {
  readonly productId: string;
  readonly quantity: number;
}

/** What was set aside: of the products whose stock is counted. */
export interface StockOfOrder extends OfOrder {
  readonly items: readonly StockItem[];
}

/** There was too little of this product. */
export interface StockRefused extends OfOrder {
  readonly productId: string;
}

/** `release`: what was authorised or taken, if anything was, goes back to the customer. */
export type PaymentStep = 'authorise' | 'capture' | 'release';

/** Times are RFC 3339 UTC. */
export interface PaymentRequested extends OfOrder {
  readonly step: PaymentStep;
  /** From 1. */
  readonly attempt: number;
  /** Without an answer by then it is asked again. */
  readonly retryAt: string;
  /** Without an answer by then it is given up; null: never. */
  readonly until: string | null;
}

/** How the payment stands, as the payment's own stream says. */
export interface PaymentSettled extends OfOrder {
  readonly status: 'authorised' | 'declined' | 'captured' | 'voided' | 'refunded';
}

/** Version 2. Version 1 waited for a courier for ever. */
export interface DeliveryRequested extends OfOrder {
  readonly deliveryId: string;
  /** When a courier has to have picked it up; null: there is no such time. RFC 3339 UTC. */
  readonly dueAt: string | null;
}

/** What comes next has to have come by `dueAt`, RFC 3339 UTC. */
export interface Awaited extends OfOrder {
  readonly dueAt: string;
}

export type DeadlineName = 'payment' | 'courier' | 'delivery' | 'return';

export interface DeadlineMissed extends OfOrder {
  readonly deadline: DeadlineName;
  readonly dueAt: string;
  /** When it is looked at again, RFC 3339 UTC; null: it is given up. */
  readonly again: string | null;
}

export interface FulfilmentCompleted extends OfOrder {
  readonly outcome: 'delivered' | 'failed';
}

/** An operator has what is due done now, or undone. Who is the event's actor. */
export interface AskedByHand extends OfOrder {
  readonly reason: string;
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
