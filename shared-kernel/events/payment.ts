/** Events of `payment-<orderId>`. A storage format: golden JSON in `golden/`. */
export interface PaymentEvent {
  readonly type: 'PaymentAuthorised';
  readonly data: PaymentAuthorised;
}

export interface PaymentAuthorised {
  readonly orderId: string;
  /** Minor units; null where imported history does not know it. */
  readonly amount: number | null;
  readonly currency: string;
}
