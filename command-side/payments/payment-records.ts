import type { Actor, NewEvent } from '@waybill/shared-kernel/message.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { GatewayPayment } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import { AggregateStreams } from '../aggregate-streams.js';
import { againOnConflict } from '../conflict.js';
import { envelopes } from '../envelope.js';
import { payment, type PaymentCommand, type PaymentState, type PaymentTerms } from './payment.js';

export interface PaymentRecordsMeans {
  readonly store: Pick<EventStore, 'append' | 'readStream'>;
  readonly randomness: Randomness;
  readonly timer: Timer;
}

/** How it came that the gateway said something, as the events of it tell. */
export interface Told {
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string | undefined;
  /** The gateway, where it said so of its own accord. */
  readonly actor?: Actor;
  /** When it happened, RFC 3339 UTC with milliseconds. */
  readonly occurredAt: string;
}

/** What is known of payments: their streams, and the one way into them. */
export class PaymentRecords {
  readonly #payments;
  readonly #means: PaymentRecordsMeans;

  constructor(means: PaymentRecordsMeans) {
    this.#payments = new AggregateStreams(means.store, 'payment', payment, { keep: 1000 });
    this.#means = means;
  }

  /** How the payment of an order stands. */
  async load(orderId: string): Promise<PaymentState> {
    return (await this.#payments.load(orderId)).state;
  }

  /**
   * Notes what the gateway says of a payment, and answers how it stands then. Again, elsewhere at the same moment, or
   * overtaken by what came later does no harm.
   */
  record(terms: PaymentTerms, said: Omit<GatewayPayment, 'reference'>, told: Told): Promise<PaymentState> {
    const { orderId } = terms;
    const command = factOf(terms, said);
    return againOnConflict(async () => {
      const loaded = await this.#payments.load(orderId);
      const facts = command === undefined ? [] : payment.decide(command, loaded.state);
      if (facts.length === 0) return loaded.state;
      const { causationId: id, actor, ...story } = told;
      const cause = { id, actor, request: undefined, ...story };
      const events = envelopes(facts, orderId, cause).map((event) => ({ ...event, id: eventIdOf(orderId, event) }));
      return (await this.#payments.append(orderId, loaded, events)).state;
    }, this.#means);
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

const namespace = '7d0c5a6e-5f0b-4c83-9d53-2f9b1c8e6a40';

/** Each thing happens once to a payment: whoever is told of it, by an answer or a notice, records the same event. */
function eventIdOf(orderId: string, { type }: Pick<NewEvent, 'type'>): string {
  return uuidV5(`${type} ${orderId}`, namespace);
}
