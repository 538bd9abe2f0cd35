import type { DomainEvent } from '@waybill/shared-kernel/decider.js';
import type { Actor } from '@waybill/shared-kernel/message.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { GatewayPayment } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import { AggregateStreams, type AggregateLog, type Loaded } from '../handling/aggregate-streams.js';
import { againOnConflict } from '../handling/conflict.js';
import { envelope } from '../handling/envelope.js';
import { payment, type PaymentCommand, type PaymentState, type PaymentTerms } from './payment.js';

export interface PaymentRecordsDependencies {
  readonly store: AggregateLog;
  readonly randomness: Randomness;
  readonly timer: Timer;
}

/** What caused an answer or a notice of the gateway, as its events record it. */
export interface FactOrigin {
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string | undefined;
  /** The gateway, where it said so of its own accord. */
  readonly actor?: Actor;
  /** When it happened, RFC 3339 UTC with milliseconds. */
  readonly occurredAt: string;
}

/** How a payment stood at a revision of its stream. */
export type LoadedPayment = Loaded<PaymentState>;

/** What is known of payments: their streams, and the one way into them. */
export class PaymentRecords {
  readonly #payments;
  readonly #dependencies: PaymentRecordsDependencies;

  constructor(dependencies: PaymentRecordsDependencies) {
    this.#payments = new AggregateStreams(dependencies.store, 'payment', payment, { keep: 1000 });
    this.#dependencies = dependencies;
  }

  /** Throws `StreamCut` where there was one whose events are gone. */
  requireNeverWas(orderId: string): Promise<void> {
    return this.#payments.requireNeverWas(orderId);
  }

  /** A payment of which nothing is known yet. Where there is something, noting meets it. */
  unwritten(): LoadedPayment {
    return this.#payments.unwritten();
  }

  /** How the payment of an order stands. */
  load(orderId: string): Promise<LoadedPayment> {
    return this.#payments.load(orderId);
  }

  /**
   * Notes what the gateway says of a payment, and answers how it stands then. Again, elsewhere at the same moment, or
   * overtaken by what came later does no harm. `known`: as it was just loaded, where it was; it is loaded again where it
   * has moved on.
   */
  record(
    terms: PaymentTerms,
    said: Omit<GatewayPayment, 'reference'>,
    origin: FactOrigin,
    known?: LoadedPayment,
  ): Promise<PaymentState> {
    const { orderId } = terms;
    const command = factOf(terms, said);
    let before = known;
    return againOnConflict(async () => {
      const loaded = before ?? (await this.load(orderId));
      before = undefined;
      const facts = command === undefined ? [] : payment.decide(command, loaded.state);
      if (facts.length === 0) return loaded.state;
      const { causationId: id, actor, ...story } = origin;
      const cause = { id, actor, request: undefined, ...story };
      const events = facts.map((fact) => envelope(fact, paymentEventIdOf(orderId, fact), orderId, cause));
      await this.#payments.appendByRule(orderId, loaded, events);
      // The ids say what came to be known, whoever appended them first; and how it stands follows from that alone.
      return facts.reduce(payment.evolve, loaded.state);
    }, this.#dependencies);
  }
}

function factOf(
  { orderId, amount, currency }: PaymentTerms,
  { status, reason = 'No reason was given.' }: Omit<GatewayPayment, 'reference'>,
): PaymentCommand | undefined {
  const terms = { orderId, amount, currency };
  switch (status) {
    case 'pending':
      return undefined;
    case 'authorised':
      return { type: 'RecordAuthorisation', ...terms };
    case 'declined':
      return { type: 'RecordDecline', ...terms, reason };
    case 'captured':
      return { type: 'RecordCapture', ...terms };
    case 'voided':
      return { type: 'RecordVoid', ...terms };
    case 'refunded':
      return { type: 'RecordRefund', ...terms };
    default:
      return status satisfies never;
  }
}

/** Storage format: ids are made with it by rule. */
const namespace = '7d0c5a6e-5f0b-4c83-9d53-2f9b1c8e6a40';

/** Each thing happens to a payment once: whether an answer or a notice brings it, the same event is recorded. */
function paymentEventIdOf(orderId: string, { type }: Pick<DomainEvent, 'type'>): string {
  return uuidV5(`${type} ${orderId}`, namespace);
}
