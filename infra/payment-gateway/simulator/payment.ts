import type { Authorisation, GatewayStatus } from '@waybill/shared-kernel/ports/payment-gateway.js';

// What the simulated gateway does with a request, without a server or a file: any other that simulates it shares this.

/** What the gateway keeps of a payment. */
export interface Payment {
  readonly reference: string;
  /** `failed`: it was asked to authorise it once, and failed. */
  readonly status: GatewayStatus | 'failed';
  /** Minor units; with the currency it is null where nothing was ever asked for but to void it. */
  readonly amount: number | null;
  readonly currency: string | null;
  readonly reason: string | null;
  /** When a pending one is decided, milliseconds since 1970-01-01T00:00:00Z; null: never. */
  readonly decidesAt: number | null;
}

export type Asked =
  | ({ readonly ask: 'authorise' } & Authorisation)
  | { readonly ask: 'capture' | 'void' | 'refund' | 'look'; readonly reference: string };

export type EntryKind = 'authorisation' | 'capture' | 'void' | 'refund';

export interface PaymentDecision {
  /** As it stands afterwards; `undefined`: the gateway knows none by that reference. */
  readonly payment: Payment | undefined;
  /** `mismatch`: the reference was used with another amount or currency. `silence`: no answer, ever. */
  readonly answer: 'payment' | 'unknown' | 'mismatch' | 'fault' | 'silence';
  /** What came to be, each once in the life of a payment. */
  readonly booked: readonly EntryKind[];
  /** How many webhooks tell how it stands now, though the answer says so too, or because nobody asked. */
  readonly webhooks: number;
}

/** What a test token brings about; `unknown`: it is none, and declined. */
type Behaviour = 'approve' | 'decline' | 'slow' | 'fail-once' | 'hang' | 'double' | 'unknown';

/** How long a slow decision takes, milliseconds. */
export const slowness = 2_000;

/** What a gateway that knows `payment` does with a request at the time `now`. */
export function receive(payment: Payment | undefined, asked: Asked, now: number): PaymentDecision {
  const before = payment === undefined ? undefined : fallDue(payment, now);
  const outcome = answerTo(before?.payment ?? payment, asked, now);
  if (before === undefined) return outcome;
  return {
    ...outcome,
    booked: [...before.booked, ...outcome.booked],
    webhooks: before.webhooks + outcome.webhooks,
  };
}

/** What becomes of a pending payment whose time has come; `undefined`: nothing. */
export function fallDue(payment: Payment, now: number): PaymentDecision | undefined {
  const { status, decidesAt } = payment;
  if (status !== 'pending' || decidesAt === null || decidesAt > now) return undefined;
  return { ...standing({ ...payment, status: 'authorised', decidesAt: null }, ['authorisation']), webhooks: 1 };
}

function answerTo(payment: Payment | undefined, asked: Asked, now: number): PaymentDecision {
  switch (asked.ask) {
    case 'authorise':
      return authorise(payment, asked, now);
    case 'void':
      return release(payment, asked.reference);
    case 'capture':
      return move(payment, 'authorised', 'captured', 'capture');
    case 'refund':
      return move(payment, 'captured', 'refunded', 'refund');
    case 'look':
      return payment === undefined || payment.status === 'failed' ? unknown(payment) : standing(payment);
    default:
      return asked satisfies never;
  }
}

function authorise(payment: Payment | undefined, asked: Authorisation, now: number): PaymentDecision {
  const { reference, amount, currency, token } = asked;
  if (payment !== undefined && payment.amount !== null) {
    if (payment.amount !== amount || payment.currency !== currency) {
      return { payment, answer: 'mismatch', booked: [], webhooks: 0 };
    }
  }
  const behaviour = behaviourOf(token);
  if (payment !== undefined && payment.status !== 'failed') {
    const hangs = behaviour === 'hang' && payment.status === 'pending';
    return hangs ? { ...standing(payment), answer: 'silence' } : standing(payment);
  }
  const asks = { reference, amount, currency, reason: null, decidesAt: null };
  const authorised = standing({ ...asks, status: 'authorised' }, ['authorisation']);
  switch (behaviour) {
    case 'approve':
      return authorised;
    case 'double':
      return { ...authorised, webhooks: 2 };
    case 'fail-once':
      if (payment !== undefined) return authorised;
      return { payment: { ...asks, status: 'failed' }, answer: 'fault', booked: [], webhooks: 0 };
    case 'slow':
      return standing({ ...asks, status: 'pending', decidesAt: now + slowness });
    case 'hang':
      return { ...standing({ ...asks, status: 'pending' }), answer: 'silence' };
    case 'decline':
      return standing({ ...asks, status: 'declined', reason: 'The card was declined.' });
    case 'unknown':
      return standing({ ...asks, status: 'declined', reason: 'This is no token of the simulator.' });
    default:
      return behaviour satisfies never;
  }
}

function behaviourOf(token: string): Behaviour {
  switch (token) {
    case 'tok_approve':
      return 'approve';
    case 'tok_decline':
      return 'decline';
    case 'tok_slow':
      return 'slow';
    case 'tok_fail_once':
      return 'fail-once';
    case 'tok_hang':
      return 'hang';
    case 'tok_double':
      return 'double';
    default:
      return 'unknown';
  }
}

/** Lets go of what is reserved; what comes later for a reference that nobody knows finds it void. */
function release(payment: Payment | undefined, reference: string): PaymentDecision {
  if (payment === undefined) {
    return standing({ reference, status: 'voided', amount: null, currency: null, reason: null, decidesAt: null });
  }
  switch (payment.status) {
    case 'authorised':
      return standing({ ...payment, status: 'voided' }, ['void']);
    case 'pending':
    case 'failed':
      return standing({ ...payment, status: 'voided', decidesAt: null });
    case 'declined':
    case 'captured':
    case 'voided':
    case 'refunded':
      return standing(payment);
    default:
      return payment.status satisfies never;
  }
}

function move(payment: Payment | undefined, from: GatewayStatus, to: GatewayStatus, kind: EntryKind): PaymentDecision {
  if (payment === undefined || payment.status === 'failed') return unknown(payment);
  return payment.status === from ? standing({ ...payment, status: to }, [kind]) : standing(payment);
}

function standing(payment: Payment, booked: readonly EntryKind[] = []): PaymentDecision {
  return { payment, answer: 'payment', booked, webhooks: 0 };
}

function unknown(payment: Payment | undefined): PaymentDecision {
  return { payment, answer: 'unknown', booked: [], webhooks: 0 };
}
