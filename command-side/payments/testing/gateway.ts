import { createHash } from 'node:crypto';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type {
  Authorisation,
  GatewayPayment,
  GatewayStatus,
  PaymentGateway,
} from '@waybill/shared-kernel/ports/payment-gateway.js';
import type { Fate } from '../../testing/faulty-store.js';
import type { GatewayCall } from '../payment.js';

/** What was done to whose money, once each. */
export interface Booking {
  readonly reference: string;
  readonly kind: Exclude<GatewayStatus, 'pending'>;
  /** Minor units. */
  readonly amount: number;
}

/** What becomes of an authorisation; `pending`: it is settled later. */
export type Verdict = (authorisation: Authorisation) => 'authorised' | 'declined' | 'pending';

/** Whether a call is done and answered, is lost on its way, or is done and its answer is lost. `nth` of its kind, from 1. */
export type FateOfCall = (call: GatewayCall, reference: string, nth: number) => Fate | Promise<Fate>;

interface Account {
  readonly amount: number;
  readonly status: GatewayStatus;
}

/** A payment gateway within this process, with books of its own to be compared with the log. */
export class GatewayOfTests implements PaymentGateway {
  readonly ledger: Booking[] = [];
  verdict: Verdict = verdictOfToken;
  fate: FateOfCall = () => 'done';
  readonly #accounts = new Map<string, Account>();
  readonly #calls = new Map<string, number>();

  authorise(authorisation: Authorisation): Promise<GatewayPayment> {
    const { reference, amount } = authorisation;
    return this.#meet('authorise', reference, (account) => {
      if (account === undefined) this.#book(reference, { amount, status: this.verdict(authorisation) });
    });
  }

  capture(reference: string): Promise<GatewayPayment> {
    return this.#meet('capture', reference, (account) => {
      if (account?.status === 'authorised') this.#book(reference, { ...account, status: 'captured' });
    });
  }

  void(reference: string): Promise<GatewayPayment> {
    return this.#meet('void', reference, (account = { amount: 0, status: 'pending' }) => {
      const { status } = account;
      if (status === 'pending' || status === 'authorised') this.#book(reference, { ...account, status: 'voided' });
    });
  }

  refund(reference: string): Promise<GatewayPayment> {
    return this.#meet('refund', reference, (account) => {
      if (account?.status === 'captured') this.#book(reference, { ...account, status: 'refunded' });
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Settles what is pending, if it still is, and gives the notice that it would send. */
  settle(reference: string, status: 'authorised' | 'declined'): GatewayPayment {
    const account = this.#accounts.get(reference);
    if (account?.status === 'pending') this.#book(reference, { ...account, status });
    return this.standing(reference);
  }

  /** How a payment stands; what its notices say. */
  standing(reference: string): GatewayPayment {
    const status = this.#accounts.get(reference)?.status;
    if (status === undefined) throw new Error(`The gateway has never heard of ${reference}.`);
    return { reference, status, ...(status === 'declined' && { reason: 'insufficient funds' }) };
  }

  /** Captured less refunded, minor units. */
  kept(reference: string): number {
    let sum = 0;
    for (const booking of this.ledger) {
      if (booking.reference !== reference) continue;
      if (booking.kind === 'captured') sum += booking.amount;
      if (booking.kind === 'refunded') sum -= booking.amount;
    }
    return sum;
  }

  async #meet(
    call: GatewayCall,
    reference: string,
    change: (account: Account | undefined) => void,
  ): Promise<GatewayPayment> {
    const nth = (this.#calls.get(`${call} ${reference}`) ?? 0) + 1;
    this.#calls.set(`${call} ${reference}`, nth);
    const fate = await this.fate(call, reference, nth);
    if (fate === 'lost') throw new Unavailable('payment gateway', 'The call was lost.');
    change(this.#accounts.get(reference));
    if (fate === 'unheard') throw new Unavailable('payment gateway', 'The answer was lost.');
    return this.standing(reference);
  }

  #book(reference: string, account: Account): void {
    this.#accounts.set(reference, account);
    const { status, amount } = account;
    if (status !== 'pending') this.ledger.push({ reference, kind: status, amount });
  }
}

/** As the built-in simulator has it, without its waits. */
export function verdictOfToken({ token }: Authorisation): ReturnType<Verdict> {
  if (token === 'tok_decline') return 'declined';
  return token === 'tok_slow' ? 'pending' : 'authorised';
}

/** Shares of all, from 0 to 1. */
export interface Shares<Outcome extends string> {
  readonly seed: string;
  readonly shares: Readonly<Partial<Record<Outcome, number>>>;
}

/** Verdicts by chance: for the same seed the same of each reference, whenever it is asked. The rest is authorised. */
export function seededVerdict({ seed, shares }: Shares<'declined' | 'pending'>): Verdict {
  return ({ reference }) => drawn(`${seed} verdict ${reference}`, shares) ?? 'authorised';
}

/** Fates by chance: for the same seed the same of each call, in whatever order they come. The rest is done. */
export function seededFate({ seed, shares }: Shares<'lost' | 'unheard'>): FateOfCall {
  return (call, reference, nth) => drawn(`${seed} ${call} ${reference} ${nth}`, shares) ?? 'done';
}

function drawn<Outcome extends string>(name: string, shares: Shares<Outcome>['shares']): Outcome | undefined {
  let left = createHash('sha256').update(name).digest().readUInt32BE() / 2 ** 32;
  for (const outcome in shares) {
    left -= shares[outcome] ?? 0;
    if (left < 0) return outcome;
  }
  return undefined;
}
