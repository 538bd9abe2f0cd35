/** How a payment stands at the gateway. `pending`: it does not know yet, and will say so by a webhook or when asked again. */
export type GatewayStatus = 'pending' | 'authorised' | 'declined' | 'captured' | 'voided' | 'refunded';

export interface GatewayPayment {
  /** Ours: the order's id. */
  readonly reference: string;
  readonly status: GatewayStatus;
  /** Why it was declined. */
  readonly reason?: string;
}

export interface Authorisation {
  /** Ours: the order's id. The gateway knows one payment by it, however often it is asked for. */
  readonly reference: string;
  /** Minor units, more than 0. */
  readonly amount: number;
  readonly currency: string;
  /** What the customer's browser got from the gateway in place of a card. */
  readonly token: string;
}

/**
 * Who takes the money. A request may have been worked on although no answer came, so whoever asks again asks for the
 * same reference, and nothing is done twice. Promises of every adapter, checked by `payment-gateway.contract.ts`:
 *
 * - Each call answers how the payment stands after it, whether this call brought it there or one before.
 * - `capture` takes the whole amount that was authorised, `refund` gives all of it back that was taken.
 * - `void` of a payment that the gateway has never heard of is remembered: an authorisation that arrives later is
 *   answered `voided`. Of one that was taken it changes nothing, and the answer says so.
 * - It rejects with `Unavailable` when there was no answer in time, when the gateway is faulty, and when it is not even
 *   asked because it was faulty just now. Anything else that it rejects with means that asking again will not help.
 */
export interface PaymentGateway {
  authorise(authorisation: Authorisation): Promise<GatewayPayment>;
  capture(reference: string): Promise<GatewayPayment>;
  void(reference: string): Promise<GatewayPayment>;
  refund(reference: string): Promise<GatewayPayment>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}
