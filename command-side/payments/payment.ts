import type { Decider } from '@waybill/shared-kernel/decider.js';
import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import type { PaymentAmount, PaymentEvent } from '@waybill/shared-kernel/events/payment.js';
import type { GatewayCall } from '@waybill/shared-kernel/ports/payment-gateway.js';

/**
 * What the gateway says of an order's payment. Facts: they are never refused. Each comes again and again, by answers
 * and by notices, and they overtake one another.
 */
export type PaymentCommand =
  | (PaymentTerms & { readonly type: 'RecordAuthorisation' })
  | (PaymentTerms & { readonly type: 'RecordDecline'; readonly reason: string })
  | (PaymentTerms & { readonly type: 'RecordCapture' })
  | (PaymentTerms & { readonly type: 'RecordVoid' })
  | (PaymentTerms & { readonly type: 'RecordRefund' });

/** What is to be paid for an order. */
export interface PaymentTerms {
  readonly orderId: string;
  /** Minor units, more than 0. */
  readonly amount: number;
  readonly currency: string;
}

export interface PaymentState {
  readonly status: PaymentStatus;
  /** Paid in imported history: the gateway knows nothing of it and is asked for nothing. */
  readonly imported: boolean;
}

/** `none`: nothing is known yet. */
export type PaymentStatus = 'none' | 'authorised' | 'declined' | 'voided' | 'captured' | 'refunded';

export type PaymentHistory = PaymentEvent & { readonly imported?: true };

function evolve(state: PaymentState, event: PaymentHistory): PaymentState {
  return { status: statusAfter(event), imported: state.imported || event.imported === true };
}

function statusAfter(event: PaymentEvent): PaymentStatus {
  switch (event.type) {
    case 'PaymentAuthorised':
      return 'authorised';
    case 'PaymentDeclined':
      return 'declined';
    case 'PaymentVoided':
      return 'voided';
    case 'PaymentCaptured':
      return 'captured';
    case 'PaymentRefunded':
      return 'refunded';
    default:
      return event satisfies never;
  }
}

/**
 * How much is known. It only ever grows, so the same facts come to the same whatever their order. A gateway never says
 * of one payment that it was voided and that it was taken; should it, then what was taken counts.
 */
const weight = { none: 0, authorised: 1, declined: 2, voided: 3, captured: 4, refunded: 5 } as const;

function decide(command: PaymentCommand, { status, imported }: PaymentState): readonly PaymentEvent[] {
  if (imported) return [];
  const { orderId, amount, currency } = command;
  const known = weight[status];
  const terms: PaymentAmount = { orderId, amount, currency };
  switch (command.type) {
    case 'RecordAuthorisation':
      return known < weight.authorised ? [{ type: 'PaymentAuthorised', data: terms }] : [];
    case 'RecordDecline':
      return known < weight.declined ? [{ type: 'PaymentDeclined', data: { orderId, reason: command.reason } }] : [];
    case 'RecordVoid':
      return known < weight.voided ? [{ type: 'PaymentVoided', data: { orderId } }] : [];
    case 'RecordCapture':
      return known < weight.captured ? taken(terms, status) : [];
    case 'RecordRefund':
      if (known >= weight.refunded) return [];
      return [...(known < weight.captured ? taken(terms, status) : []), { type: 'PaymentRefunded', data: terms }];
    default:
      return command satisfies never;
  }
}

/** What was taken had been authorised, whether or not that was heard of. */
function taken(terms: PaymentAmount, status: PaymentStatus): readonly PaymentEvent[] {
  const captured: PaymentEvent = { type: 'PaymentCaptured', data: terms };
  return status === 'none' ? [{ type: 'PaymentAuthorised', data: terms }, captured] : [captured];
}

export const payment: Decider<PaymentCommand, PaymentState, PaymentHistory> = {
  initialState: { status: 'none', imported: false },
  decide,
  evolve,
};

/** What to ask the gateway for, so that the payment comes to where a step wants it; `undefined`: nothing. */
export function nextCall(step: PaymentStep, { status, imported }: PaymentState): GatewayCall | undefined {
  if (imported) return undefined;
  switch (step) {
    case 'authorise':
      return status === 'none' ? 'authorise' : undefined;
    case 'capture':
      return status === 'authorised' ? 'capture' : undefined;
    case 'release':
      // Nothing known: it may have been asked for and not answered yet, and must not be authorised later.
      if (status === 'none' || status === 'authorised') return 'void';
      return status === 'captured' ? 'refund' : undefined;
    default:
      return step satisfies never;
  }
}
