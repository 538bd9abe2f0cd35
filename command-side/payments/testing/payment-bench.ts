import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { openMemoryRequestReply } from '@waybill/infra/broker/memory/request-reply.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import type { PaymentEvent } from '@waybill/shared-kernel/events/payment.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import type { GatewayPayment } from '@waybill/shared-kernel/ports/payment-gateway.js';
import type { Answering, Body, RequestReply } from '@waybill/shared-kernel/ports/request-reply.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { FaultyStore } from '../../testing/faulty-store.js';
import { PaymentRecords } from '../payment-records.js';
import { paymentCorrelationId, paymentService, type PaymentRequest } from '../payment-request.js';
import { answeredWithinMs, startPaymentService } from '../payment-service.js';
import { GatewayOfTests } from './gateway.js';

const patient = 20_000;

/** What is asked for orders of 500 won. */
export function requestFor(step: PaymentStep, asked: Partial<PaymentRequest> = {}): PaymentRequest {
  return {
    orderId: 'o1',
    step,
    amount: 500,
    currency: 'KRW',
    token: step === 'authorise' ? 'tok_approve' : null,
    correlationId: 'story-1',
    causationId: 'b2f5ff47-43d3-4f42-9f2f-6f1f6f2b9b11',
    traceparent: null,
    ...asked,
  };
}

/** Payment services in this process, between a gateway and a log whose faults a test decides. */
export class PaymentBench {
  readonly clock = virtualClock('2026-01-01T10:00:00Z');
  readonly store = new FaultyStore(new MemoryEventStore(this.clock));
  readonly gateway = new GatewayOfTests(this.clock);
  /** The broker of the first service. */
  readonly requestReply = openMemoryRequestReply();
  readonly faults: string[] = [];
  readonly counted: string[] = [];
  /** Whoever asked is answered `pending` when it elapses. */
  readonly timer = manualTimer();
  readonly #chance = {
    randomness: seededRandomness('payments'),
    timer: {
      sleep: (ms: number, signal?: AbortSignal) =>
        ms === answeredWithinMs ? this.timer.sleep(ms, signal) : Promise.resolve(),
    },
  };

  readonly #services: Answering[] = [];
  readonly #records = new PaymentRecords({ ...this.#chance, store: this.store });

  /** A service, in a process of its own. */
  async start(requestReply: RequestReply = this.requestReply): Promise<RequestReply> {
    const service = await startPaymentService({
      requestReply,
      gateway: this.gateway,
      store: this.store,
      clock: this.clock,
      ...this.#chance,
      report: ({ message }) => this.faults.push(message),
      count: (step, outcome) => this.counted.push(`${step} ${outcome}`),
    });
    this.#services.push(service);
    return requestReply;
  }

  /** Ends all services, as the end of a process does. */
  async close(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.close()));
  }

  ask(step: PaymentStep, asked?: Partial<PaymentRequest>, of: RequestReply = this.requestReply): Promise<Body> {
    const request = requestFor(step, asked);
    return of.request(paymentService, { ...request }, paymentCorrelationId(request), patient);
  }

  /** What the write API does with a notice. */
  async take({ reference, ...said }: GatewayPayment): Promise<void> {
    const { amount, currency, correlationId, causationId } = requestFor('release');
    const told = { correlationId, causationId, traceparent: undefined, occurredAt: timestamp(this.clock) };
    await this.#records.record({ orderId: reference, amount, currency }, said, told);
  }

  events(orderId = 'o1'): Promise<readonly RecordedEvent[]> {
    return this.store.readStream(`payment-${orderId}`, 0, 100);
  }

  async types(orderId = 'o1'): Promise<readonly string[]> {
    return (await this.events(orderId)).map(({ type }) => type);
  }

  /** Captured less refunded as the stream says, minor units. */
  async kept(orderId = 'o1'): Promise<number> {
    let sum = 0;
    for (const event of await this.events(orderId)) {
      const { type, data } = upcast(event) as PaymentEvent;
      if (type === 'PaymentCaptured') sum += data.amount ?? 0;
      if (type === 'PaymentRefunded') sum -= data.amount ?? 0;
    }
    return sum;
  }
}
