/** Events of `fulfilment-<orderId>`, the process manager's memory. A storage format: golden JSON in `golden/`. */
export type FulfilmentEvent =
  | { readonly type: 'FulfilmentStarted'; readonly data: FulfilmentStarted }
  | { readonly type: 'FulfilmentDeliveryRequested'; readonly data: OfDeliveredOrder }
  | { readonly type: 'FulfilmentCancelled'; readonly data: OfOrder }
  | { readonly type: 'FulfilmentCompleted'; readonly data: FulfilmentCompleted };

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
