import type { Sealed } from '../personal-data.js';

/** Events of `delivery-<deliveryId>`; their partition key is the order's id. A storage format: golden JSON in `golden/`. */
export type DeliveryEvent =
  | { readonly type: 'DeliveryScheduled'; readonly data: DeliveryScheduled }
  | { readonly type: 'DeliveryAssigned'; readonly data: ByCourier }
  | { readonly type: 'DeliveryReleased'; readonly data: ByCourier }
  | { readonly type: 'DeliveryPickedUp'; readonly data: PickedUp }
  | { readonly type: 'DeliveryPositionReported'; readonly data: PositionReported }
  | { readonly type: 'DeliveryCompleted'; readonly data: DeliveryCompleted }
  | { readonly type: 'DeliveryFailed'; readonly data: DeliveryFailed }
  | { readonly type: 'DeliveryReturned'; readonly data: OfDelivery }
  | { readonly type: 'DeliveryCancelled'; readonly data: DeliveryCancelled };

export interface OfDelivery {
  readonly deliveryId: string;
  readonly orderId: string;
}

export interface DeliveryScheduled extends OfDelivery {
  readonly customerId: string;
  readonly address: Sealed | null;
  readonly promisedBy: string | null;
}

export interface ByCourier extends OfDelivery {
  readonly courierId: string;
}

export interface PickedUp extends OfDelivery {
  /** Imported history does not know who. */
  readonly courierId: string | null;
}

/** WGS 84 degrees; `at` is when the courier was there, RFC 3339 UTC. */
export interface PositionReported extends OfDelivery {
  readonly latitude: number;
  readonly longitude: number;
  readonly at: string;
}

export interface DeliveryCompleted extends OfDelivery {
  readonly proof: string | null;
}

export interface DeliveryFailed extends OfDelivery {
  readonly reason: string;
  /** `retry`: the courier keeps it and tries again; `return`: it goes back. */
  readonly next: 'retry' | 'return';
}

export interface DeliveryCancelled extends OfDelivery {
  readonly reason: string;
}
