/** Events of `payment-<orderId>`, written by the payment service alone. A storage format: golden JSON in `golden/`. */
export type PaymentEvent =
  | { readonly type: 'PaymentAuthorised'; readonly data: PaymentAmount }
  | { readonly type: 'PaymentDeclined'; readonly data: PaymentDeclined }
  | { readonly type: 'PaymentCaptured'; readonly data: PaymentAmount }
  | { readonly type: 'PaymentVoided'; readonly data: { readonly orderId: string } }
  | { readonly type: 'PaymentRefunded'; readonly data: PaymentAmount };

export interface PaymentAmount {
  readonly orderId: string;
  /** Minor units; null where imported history does not know it. */
  readonly amount: number | null;
  readonly currency: string;
}

export interface PaymentDeclined {
  readonly orderId: string;
  /** As the gateway gives it. */
  readonly reason: string;
}
