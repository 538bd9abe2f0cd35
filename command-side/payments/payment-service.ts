import { asError } from '@waybill/shared-kernel/as-error.js';
import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { notBefore } from '@waybill/shared-kernel/occurred.js';
import { type Randomness, type Timer, timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { GatewayCall, GatewayCalls, GatewayPayment } from '@waybill/shared-kernel/ports/payment-gateway.js';
import type { Answering, Body, Responder } from '@waybill/shared-kernel/ports/request-reply.js';
import { utcTime } from '@waybill/shared-kernel/time.js';
import type { AggregateLog } from '../handling/aggregate-streams.js';
import { nextCall } from './payment.js';
import { PaymentRecords, type LoadedPayment } from './payment-records.js';
import { readPaymentRequest } from './payment-request-body.js';
import { paymentCorrelationId, paymentService, type PaymentAnswer, type PaymentRequest } from './payment-request.js';

/**
 * Called with how each request was answered; `unavailable`: the gateway was away, `failed`: something else was wrong.
 */
export type CountPayment = (step: PaymentStep, outcome: PaymentAnswer['status'] | 'unavailable' | 'failed') => void;

export interface PaymentServiceDependencies {
  readonly requestReply: Responder;
  readonly gateway: GatewayCalls;
  readonly store: AggregateLog;
  readonly clock: WallClock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  readonly report: (fault: Error, of: string) => void;
  readonly count?: CountPayment | undefined;
}

/**
 * Milliseconds after which a request is answered with `pending` although it is worked on, so that one that hangs, or waits
 * for its turn at the gateway, keeps no other from being taken. What comes of it comes along the log.
 */
export const answeredWithinMs = 1_000;

/**
 * Answers for payments until it is closed, which lets what is being worked on come to its end. As many processes as
 * wanted may answer: what the gateway said is in the payment's stream before it is in an answer, and whatever got lost
 * in between is made up for when it is asked again.
 */
export async function startPaymentService(dependencies: PaymentServiceDependencies): Promise<Answering> {
  const service = new PaymentService(dependencies);
  const answering = await dependencies.requestReply.answer(paymentService, (body) => service.answer(body));
  return {
    close: async () => {
      await answering.close();
      await service.settled();
    },
  };
}

const pending: PaymentAnswer = { status: 'pending' };

class PaymentService {
  readonly #dependencies: PaymentServiceDependencies;
  readonly #records: PaymentRecords;
  /** Correlation id → what will be answered to all who ask the same meanwhile. */
  readonly #underWay = new Map<string, Promise<PaymentAnswer>>();
  /** Order → the last of its requests, after which the next one has its turn. */
  readonly #lastOf = new Map<string, Promise<PaymentAnswer>>();
  /** Orders whose payment is to be released: an authorisation that still waits is not asked for any more. */
  readonly #released = new Set<string>();

  constructor(dependencies: PaymentServiceDependencies) {
    this.#dependencies = dependencies;
    this.#records = new PaymentRecords(dependencies);
  }

  /** Throws `InvalidInput`; every other fault is reported, and answered with `pending`. */
  async answer(body: Body): Promise<Body> {
    const request = readPaymentRequest(body);
    const key = paymentCorrelationId(request);
    let answer = this.#underWay.get(key);
    if (answer === undefined) {
      answer = this.#inTurn(request);
      this.#underWay.set(key, answer);
      void answer.then(() => this.#underWay.delete(key));
    }
    return { ...(await this.#soon(answer)) };
  }

  /** Resolves when what was asked for by now is worked on. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  async #soon(answer: Promise<PaymentAnswer>): Promise<PaymentAnswer> {
    const answered = new AbortController();
    const tooLate = this.#dependencies.timer.sleep(answeredWithinMs, answered.signal).then(() => pending);
    try {
      return await Promise.race([answer, tooLate]);
    } finally {
      answered.abort();
    }
  }

  #inTurn(request: PaymentRequest): Promise<PaymentAnswer> {
    const { orderId } = request;
    if (request.step === 'release') this.#released.add(orderId);
    const before = this.#lastOf.get(orderId) ?? Promise.resolve();
    const answer = before.then(() => this.#settle(request));
    this.#lastOf.set(orderId, answer);
    void answer.then(() => {
      if (this.#lastOf.get(orderId) !== answer) return;
      this.#lastOf.delete(orderId);
      this.#released.delete(orderId);
    });
    return answer;
  }

  /** Never rejects. */
  async #settle(request: PaymentRequest): Promise<PaymentAnswer> {
    const { report, count } = this.#dependencies;
    try {
      const status = await this.#bring(request);
      count?.(request.step, status ?? 'unavailable');
      return { status: status ?? 'pending' };
    } catch (fault) {
      report(asError(fault), 'payments');
      count?.(request.step, 'failed');
      return pending;
    }
  }

  /** Brings the payment to where it is wanted, as far as the gateway will; `undefined`: the gateway is away. */
  async #bring(request: PaymentRequest): Promise<PaymentAnswer['status'] | undefined> {
    const { step, orderId, correlationId, causationId, causedAt } = request;
    const story = { correlationId, causationId, traceparent: request.traceparent ?? undefined };
    // The gateway knows one payment by its reference, however often it is asked for.
    const isNew = request.isFirst === true && step === 'authorise';
    let known: LoadedPayment | undefined = isNew ? this.#records.unwritten() : await this.#records.load(orderId);
    let { state } = known;
    // Only who asks first may find none.
    if (state.status === 'none' && step !== 'authorise') await this.#records.requireNeverWas(orderId);
    for (let call = nextCall(step, state); call !== undefined; call = nextCall(step, state)) {
      const said = await this.#ask(call, request);
      if (said === undefined) return undefined;
      const { status } = state;
      const occurredAt = notBefore(timestamp(this.#dependencies.clock), causedAt && utcTime(causedAt));
      state = await this.#records.record(request, said, { ...story, occurredAt }, known);
      known = undefined;
      // The gateway has no more to say for now.
      if (state.status === status) break;
    }
    return state.status === 'none' ? 'pending' : state.status;
  }

  async #ask(call: GatewayCall, request: PaymentRequest): Promise<GatewayPayment | undefined> {
    try {
      return await this.#call(call, request);
    } catch (fault) {
      if (fault instanceof Unavailable) return undefined;
      throw fault;
    }
  }

  #call(call: GatewayCall, request: PaymentRequest): Promise<GatewayPayment> {
    const { orderId: reference, customerId: payer, amount, currency, token } = request;
    const { gateway } = this.#dependencies;
    if (call !== 'authorise') return gateway[call](reference, payer);
    if (token === null) throw new Error(`Order ${reference} has no payment token.`);
    return gateway.authorise({ reference, amount, currency, token }, payer, () => !this.#released.has(reference));
  }
}
