import { asError } from '@waybill/shared-kernel/as-error.js';
import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { timestamp, type Clock, type Randomness, type Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { GatewayPayment, PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import type { Answering, Body, RequestReply } from '@waybill/shared-kernel/ports/request-reply.js';
import { nextCall, type GatewayCall } from './payment.js';
import { PaymentRecords } from './payment-records.js';
import { readPaymentRequest } from './payment-request-body.js';
import { paymentCorrelationId, paymentService, type PaymentAnswer, type PaymentRequest } from './payment-request.js';

/** Told of each request: how it was answered; `unavailable`: the gateway was away, `failed`: something else was wrong. */
export type CountPayment = (step: PaymentStep, outcome: PaymentAnswer['status'] | 'unavailable' | 'failed') => void;

export interface PaymentServiceMeans {
  readonly requestReply: Pick<RequestReply, 'answer'>;
  readonly gateway: Omit<PaymentGateway, 'close'>;
  readonly store: Pick<EventStore, 'append' | 'readStream'>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  readonly report: (fault: Error, of: string) => void;
  readonly count?: CountPayment | undefined;
}

/**
 * Answers for payments until it is closed, which lets what is being worked on come to its end. As many processes as
 * wanted may answer: what the gateway said is in the payment's stream before it is in an answer, and whatever got lost
 * in between is made up for when it is asked again.
 */
export function startPaymentService(means: PaymentServiceMeans): Promise<Answering> {
  const service = new PaymentService(means);
  return means.requestReply.answer(paymentService, (body) => service.answer(body));
}

class PaymentService {
  readonly #means: PaymentServiceMeans;
  readonly #records: PaymentRecords;
  /** Correlation id → what will be answered to all who ask the same meanwhile. */
  readonly #underWay = new Map<string, Promise<PaymentAnswer>>();
  /** Order → the last of its requests, after which the next one has its turn. */
  readonly #lastOf = new Map<string, Promise<PaymentAnswer>>();

  constructor(means: PaymentServiceMeans) {
    this.#means = means;
    this.#records = new PaymentRecords(means);
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
    return { ...(await answer) };
  }

  #inTurn(request: PaymentRequest): Promise<PaymentAnswer> {
    const { orderId } = request;
    const before = this.#lastOf.get(orderId) ?? Promise.resolve();
    const answer = before.then(() => this.#settle(request));
    this.#lastOf.set(orderId, answer);
    void answer.then(() => {
      if (this.#lastOf.get(orderId) === answer) this.#lastOf.delete(orderId);
    });
    return answer;
  }

  /** Never rejects. */
  async #settle(request: PaymentRequest): Promise<PaymentAnswer> {
    const { report, count } = this.#means;
    try {
      const status = await this.#bring(request);
      count?.(request.step, status ?? 'unavailable');
      return { status: status ?? 'pending' };
    } catch (fault) {
      report(asError(fault), 'payments');
      count?.(request.step, 'failed');
      return { status: 'pending' };
    }
  }

  /** Brings the payment to where it is wanted, as far as the gateway will; `undefined`: the gateway is away. */
  async #bring(request: PaymentRequest): Promise<PaymentAnswer['status'] | undefined> {
    const { step, orderId, correlationId, causationId } = request;
    const story = { correlationId, causationId, traceparent: request.traceparent ?? undefined };
    let state = await this.#records.load(orderId);
    for (let call = nextCall(step, state); call !== undefined; call = nextCall(step, state)) {
      const said = await this.#ask(call, request);
      if (said === undefined) return undefined;
      const { status } = state;
      const occurredAt = timestamp(this.#means.clock);
      state = await this.#records.record(request, said, { ...story, occurredAt });
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

  #call(call: GatewayCall, { orderId: reference, amount, currency, token }: PaymentRequest): Promise<GatewayPayment> {
    const { gateway } = this.#means;
    if (call !== 'authorise') return gateway[call](reference);
    if (token === null) throw new Error(`Order ${reference} has no payment token.`);
    return gateway.authorise({ reference, amount, currency, token });
  }
}
