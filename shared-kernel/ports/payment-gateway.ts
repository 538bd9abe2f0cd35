/** How a payment stands at the gateway. `pending`: it does not know yet, and will say so by a webhook or when asked again. */
export const gatewayStatuses = ['pending', 'authorised', 'declined', 'captured', 'voided', 'refunded'] as const;
export type GatewayStatus = (typeof gatewayStatuses)[number];

export function isGatewayStatus(status: unknown): status is GatewayStatus {
  return gatewayStatuses.some((one) => one === status);
}

/** What the gateway can be asked to do. */
export type GatewayCall = keyof GatewayCalls;

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
  /** The gateway's token for the customer's card. */
  readonly token: string;
}

/**
 * What the one who takes the money can be asked. A request may have been worked on although no answer came, so whoever
 * asks again asks for the same reference, and nothing is done twice. Promises of every adapter, checked by
 * `payment-gateway.contract.ts`:
 *
 * - Each call answers how the payment stands after it, whether this call brought it there or one before.
 * - `capture` takes the whole amount that was authorised, `refund` gives all of it back that was taken.
 * - `void` of a payment that the gateway has never heard of is remembered: an authorisation that arrives later is
 *   answered `voided`. Of one that was taken it changes nothing, and the answer says so.
 * - It rejects with `Unavailable` when there was no answer in time, when the gateway is faulty, and when too many wait
 *   to ask it. Anything else that it rejects with means that asking again will not help.
 *
 * `payer`: who pays. One payer has a share of the calls at once, however many payments of theirs get no answer; without
 * one, each reference is a payer of its own. `isWanted` is asked when an authorisation that had to wait has its turn:
 * it rejects with `Unavailable`, and nothing is asked, where that is not so any more.
 */
export interface GatewayCalls {
  authorise(authorisation: Authorisation, payer?: string, isWanted?: () => boolean): Promise<GatewayPayment>;
  capture(reference: string, payer?: string): Promise<GatewayPayment>;
  void(reference: string, payer?: string): Promise<GatewayPayment>;
  refund(reference: string, payer?: string): Promise<GatewayPayment>;
}

/** The way to who takes the money. */
export interface PaymentGateway extends GatewayCalls {
  /** Waits for what is under way. */
  close(): Promise<void>;
}
