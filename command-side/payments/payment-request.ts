import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';

/** The service's name at the broker. */
export const paymentService = 'payments';

/** What is asked of the payment service. Asked again, it brings about nothing twice. */
export interface PaymentRequest {
  readonly orderId: string;
  readonly step: PaymentStep;
  /** Nobody asked for anything of it before, so the log need not be looked at. That it comes twice does no harm. */
  readonly isFirst?: true;
  /** Who pays, for their share of the calls of the gateway; an older process manager does not say. */
  readonly customerId?: string;
  /** Minor units, more than 0. */
  readonly amount: number;
  readonly currency: string;
  /** The customer's; only `authorise` needs it. */
  readonly token: string | null;
  /** Of the order's placement, for the events that come of it. */
  readonly correlationId: string;
  /** Id of the event that led to this. */
  readonly causationId: string;
  /** What comes of this happens no earlier, RFC 3339 UTC with milliseconds; earlier builds do not say it. */
  readonly causedAt?: string;
  readonly traceparent: string | null;
}

/**
 * How the payment stands, as its stream says by then; `pending`: nothing is known yet, the gateway is away, or the
 * request is still worked on.
 */
export interface PaymentAnswer {
  readonly status: 'pending' | 'authorised' | 'declined' | 'captured' | 'voided' | 'refunded';
}

/** Storage format: ids are made with it by rule. */
const namespace = '0b5f2c1e-7f0e-4c58-9a3d-6d0b8a9e4f11';

/** The same for one step of one order's payment, however often it is asked for. */
export function paymentCorrelationId({ orderId, step }: Pick<PaymentRequest, 'orderId' | 'step'>): string {
  return uuidV5(`${step} ${orderId}`, namespace);
}
