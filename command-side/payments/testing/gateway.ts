import {
  fallDue,
  receive,
  type Asked,
  type EntryKind,
  type Payment,
} from '@waybill/infra/payment-gateway/simulator/payment.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { epochMs, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type {
  Authorisation,
  GatewayCall,
  GatewayPayment,
  PaymentGateway,
} from '@waybill/shared-kernel/ports/payment-gateway.js';
import type { Fate } from '../../testing/faulty-store.js';

/** What was done to whose money, once each. */
export interface Booking {
  readonly reference: string;
  readonly kind: EntryKind;
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
}

/** Whether a call is done and answered, is lost on its way, or is done and its answer is lost. `nth` of its kind, from 1. */
export type FateOfCall = (call: GatewayCall, reference: string, nth: number) => Fate | Promise<Fate>;

/**
 * The simulated gateway within this process: no server and no waiting, its books in memory, and whether it is reached
 * is up to a test. What becomes of a payment is said by its token.
 */
export class GatewayOfTests implements PaymentGateway {
  readonly ledger: Booking[] = [];
  fate: FateOfCall = () => 'done';
  /** Called with what a webhook would say: as often as the simulator would, and whenever an answer is lost. */
  notify: (notice: GatewayPayment) => void = () => {};
  readonly #payments = new Map<string, Payment>();
  readonly #calls = new Map<string, number>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #clock: WallClock;

  /** Without a clock what is pending stays so. */
  constructor(clock: WallClock = { time: () => new Date(0) }) {
    this.#clock = clock;
  }

  authorise(authorisation: Authorisation): Promise<GatewayPayment> {
    return this.#call('authorise', { ask: 'authorise', ...authorisation });
  }

  capture(reference: string): Promise<GatewayPayment> {
    return this.#call('capture', { ask: 'capture', reference });
  }

  void(reference: string): Promise<GatewayPayment> {
    return this.#call('void', { ask: 'void', reference });
  }

  refund(reference: string): Promise<GatewayPayment> {
    return this.#call('refund', { ask: 'refund', reference });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** Decides whatever is due by now, and tells. */
  decide(): void {
    for (const payment of [...this.#payments.values()]) {
      const outcome = fallDue(payment, epochMs(this.#clock));
      if (outcome !== undefined) this.#keep(payment.reference, outcome);
    }
  }

  /** How a payment stands; `undefined`: it has never heard of it. */
  standing(reference: string): GatewayPayment | undefined {
    const payment = this.#payments.get(reference);
    if (payment === undefined || payment.status === 'failed') return undefined;
    const { status, reason } = payment;
    return { reference, status, ...(reason !== null && { reason }) };
  }

  /** Captured less refunded, minor units. */
  kept(reference: string): number {
    let sum = 0;
    for (const { reference: of, kind, amount } of this.ledger) {
      if (of !== reference) continue;
      if (kind === 'capture') sum += amount;
      if (kind === 'refund') sum -= amount;
    }
    return sum;
  }

  #call(call: GatewayCall, asked: Asked): Promise<GatewayPayment> {
    const answer = this.#meet(call, asked);
    this.#underWay.add(answer);
    const settled = (): void => void this.#underWay.delete(answer);
    answer.then(settled, settled);
    return answer;
  }

  async #meet(call: GatewayCall, asked: Asked): Promise<GatewayPayment> {
    const { reference } = asked;
    const nth = (this.#calls.get(`${call} ${reference}`) ?? 0) + 1;
    this.#calls.set(`${call} ${reference}`, nth);
    const fate = await this.fate(call, reference, nth);
    if (fate === 'lost') throw new Unavailable('payment gateway', 'The call was lost.');
    const outcome = receive(this.#payments.get(reference), asked, epochMs(this.#clock));
    const wasHeard = fate === 'done';
    const standing = this.#keep(reference, wasHeard ? outcome : { ...outcome, webhooks: outcome.webhooks + 1 });
    if (!wasHeard) throw new Unavailable('payment gateway', 'The answer was lost.');
    switch (outcome.answer) {
      case 'silence':
      case 'fault':
        throw new Unavailable('payment gateway', `It answers with ${outcome.answer}.`);
      case 'mismatch':
        throw new Error(`Another amount was asked for ${reference} before.`);
      case 'unknown':
        throw new Error(`The gateway has never heard of ${reference}.`);
      case 'payment':
        return standing!;
      default:
        return outcome.answer satisfies never;
    }
  }

  #keep(reference: string, { payment, booked, webhooks }: ReturnType<typeof receive>): GatewayPayment | undefined {
    if (payment === undefined) return undefined;
    this.#payments.set(reference, payment);
    const { amount, currency } = payment;
    for (const kind of booked) this.ledger.push({ reference, kind, amount: amount!, currency: currency! });
    const standing = this.standing(reference);
    if (standing !== undefined) for (let told = 0; told < webhooks; told += 1) this.notify(standing);
    return standing;
  }
}
