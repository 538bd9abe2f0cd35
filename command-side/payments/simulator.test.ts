import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openMemoryRequestReply } from '@waybill/infra/broker/memory/request-reply.js';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { openHttpGateway } from '@waybill/infra/payment-gateway/http-gateway.js';
import { webhookPath } from '@waybill/infra/payment-gateway/open-gateway.js';
import { slowness } from '@waybill/infra/payment-gateway/simulator/payment.js';
import {
  simulatorUnderTest,
  type SimulatorUnderTest,
} from '@waybill/infra/payment-gateway/testing/simulator-under-test.js';
import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { beginning } from '@waybill/shared-kernel/ports/event-store.js';
import type { PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { stores } from '../testing/stores.js';
import { address, won, WriteApi } from '../testing/write-api.js';
import { paymentCorrelationId, paymentService, type PaymentAnswer } from './payment-request.js';
import { startPaymentService } from './payment-service.js';
import { requestFor } from './testing/payment-bench.js';

let api: WriteApi;
let simulator: SimulatorUnderTest;
let gateway: PaymentGateway;
let requestReply: ReturnType<typeof openMemoryRequestReply>;
let faults: string[];

beforeEach(async () => {
  faults = [];
  api = await WriteApi.start(stores[0]![1]);
  simulator = await simulatorUnderTest();
  simulator.notifyAt(`${api.url}${webhookPath}`);
  const product = { productId: 'tea', name: 'Tea', unitPrice: won(500) };
  await api.done('/v1/products', { as: 'merchant:m1', body: product });
  await api.done('/v1/customers', { as: 'customer:ann', body: { name: 'Ann', phone: '1', address } });
  const order = { orderId: 'o1', customerId: 'ann', lines: [{ productId: 'tea', quantity: 1 }] };
  await api.done('/v1/orders', { as: 'customer:ann', body: { ...order, payment: { token: 'tok_slow' } } });
});
afterEach(async () => {
  await requestReply.close();
  await Promise.all([gateway.close(), simulator.remove()]);
  await api.close();
  expect([...faults, ...simulator.faults]).toEqual([]);
});

/** `patience`: how long the gateway is waited for, milliseconds. */
async function start(answerTimeoutMs = 20_000): Promise<void> {
  const tuning = { timeout: answerTimeoutMs, backOff: { first: 1, most: 2 } };
  gateway = openHttpGateway({ url: simulator.url, randomness: systemRandomness, tuning });
  requestReply = openMemoryRequestReply();
  await startPaymentService({
    ...{ requestReply, gateway, store: api.store, clock: api.clock },
    ...{ randomness: systemRandomness, timer: systemTimer },
    report: ({ message }) => faults.push(message),
  });
}

async function ask(step: PaymentStep, token: string | null = null): Promise<PaymentAnswer['status']> {
  const request = requestFor(step, { token });
  const answer = await requestReply.request(paymentService, { ...request }, paymentCorrelationId(request), 20_000);
  return (answer as { status: PaymentAnswer['status'] }).status;
}

/** The first event of this type, which may be yet to come. */
async function come(type: string): Promise<RecordedEvent> {
  const found = new AbortController();
  for await (const { events } of api.store.subscribe(beginning, 100, found.signal)) {
    const event = events.find((one) => one.type === type);
    if (event !== undefined) return event;
  }
  throw new Error(`no ${type}`);
}

const types = () => api.types('payment-o1');
const booked = async () => (await simulator.ledger('o1')).map(({ kind }) => kind);

test('what the gateway decides later comes by its webhook, and what was asked for meanwhile goes on from there', async () => {
  await start();
  expect(await ask('authorise', 'tok_slow')).toBe('pending');
  expect(await types()).toEqual([]);
  simulator.clock.advance(slowness);
  simulator.timer.elapse();
  expect(await come('PaymentAuthorised')).toMatchObject({ actor: { role: 'gateway' } });
  expect(await ask('capture')).toBe('captured');
  expect(await ask('release')).toBe('refunded');
  expect(await types()).toEqual(['PaymentAuthorised', 'PaymentCaptured', 'PaymentRefunded']);
  expect(await booked()).toEqual(['authorisation', 'capture', 'refund']);
});

test('what the gateway says once by an answer and twice by webhooks is in the log once', async () => {
  await start();
  expect(await ask('authorise', 'tok_double')).toBe('authorised');
  expect(await ask('capture')).toBe('captured');
  // It waits for the webhooks that it sends.
  await simulator.close();
  expect(await types()).toEqual(['PaymentAuthorised', 'PaymentCaptured']);
});

test('a gateway that hangs leaves it pending; it is let go all the same', async () => {
  await start(50);
  expect(await ask('authorise', 'tok_hang')).toBe('pending');
  await Promise.all([requestReply.close(), gateway.close()]);
  await start();
  expect(await ask('release')).toBe('voided');
  expect(await ask('authorise', 'tok_hang')).toBe('voided');
  expect(await types()).toEqual(['PaymentVoided']);
  expect(await booked()).toEqual([]);
});

test('a gateway that fails at first leaves it pending until it is asked again', async () => {
  await start();
  expect(await ask('authorise', 'tok_fail_once')).toBe('pending');
  expect(await ask('authorise', 'tok_fail_once')).toBe('authorised');
  expect(await ask('release')).toBe('voided');
  expect(await booked()).toEqual(['authorisation', 'void']);
});
