import type { Sealed } from '../personal-data.js';

/** Events of `order-<orderId>`. Type names and payloads are a storage format: golden JSON in `golden/`. */
export type OrderEvent =
  | { readonly type: 'OrderPlaced'; readonly data: OrderPlaced }
  | { readonly type: 'OrderConfirmed'; readonly data: { readonly orderId: string } }
  | { readonly type: 'OrderRejected'; readonly data: OrderRejected }
  | { readonly type: 'OrderCancelled'; readonly data: OrderCancelled }
  | { readonly type: 'OrderDispatched'; readonly data: OrderDispatched }
  | { readonly type: 'OrderDelivered'; readonly data: { readonly orderId: string } }
  | { readonly type: 'OrderDeliveryFailed'; readonly data: { readonly orderId: string; readonly reason: string } };

export interface OrderLine {
  readonly productId: string;
  readonly merchantId: string | null;
  /** Imported history does not know names. */
  readonly name: string | null;
  readonly quantity: number;
  /** Minor units of the order's currency. */
  readonly unitPrice: number;
  /** Minor units; only imported history has it. */
  readonly freight: number | null;
}

export interface OrderPlaced {
  readonly orderId: string;
  readonly customerId: string;
  readonly lines: readonly OrderLine[];
  readonly currency: string;
  /** Minor units; null where imported history does not know the lines. */
  readonly total: number | null;
  readonly deliveryAddress: Sealed | null;
  readonly paymentToken: string | null;
  readonly promisedBy: string | null;
}

export interface OrderRejected {
  readonly orderId: string;
  readonly reason: string;
  /** The source of imported history gave no time, so `occurredAt` is an estimate. */
  readonly timeEstimated: boolean;
}

/** Version 2. Version 1 had no `timeEstimated`: there was no imported history yet. */
export interface OrderCancelled {
  readonly orderId: string;
  readonly reason: string;
  /** Role in which it was cancelled, or `unknown` in imported history. */
  readonly by: string;
  readonly timeEstimated: boolean;
}

/** The parcel left: from here on the order cannot be cancelled. */
export interface OrderDispatched {
  readonly orderId: string;
  readonly deliveryId: string;
  readonly courierId: string;
}
