import { expect, test } from '@jest/globals';
import { openMemoryRequestReply } from '@waybill/infra/broker/memory/request-reply.js';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import type { PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { runPayments } from './run-payments.js';
import { requestFor } from './testing/payment-bench.js';

/** It takes what it is asked, tells of it, and never answers, not even when it is closed. */
class MuteGateway implements PaymentGateway {
  asked = () => {};
  readonly #mute = () => {
    this.asked();
    return new Promise<never>(() => {});
  };

  readonly authorise = this.#mute;
  readonly capture = this.#mute;
  readonly void = this.#mute;
  readonly refund = this.#mute;
  readonly close = this.#mute;
}

test('a payment that hangs neither holds up the end nor is a fault then', async () => {
  const clock = virtualClock('2026-01-01T10:00:00Z');
  const gateway = new MuteGateway();
  const faults: string[] = [];
  const payments = runPayments({
    requestReply: openMemoryRequestReply(),
    gateway,
    store: new MemoryEventStore(clock),
    clock,
    randomness: seededRandomness('end'),
    timer: { sleep: () => Promise.resolve() },
    report: ({ message }) => faults.push(message),
  });
  const asked = new Promise<void>((resolve) => {
    gateway.asked = resolve;
  });
  payments.ask(requestFor('authorise'));
  await asked;
  await payments.stop();
  payments.ask(requestFor('authorise'));
  await new Promise(setImmediate);
  expect(faults).toEqual([]);
});

test('an end that nothing holds up leaves no wait that would keep the process', async () => {
  const clock = virtualClock('2026-01-01T10:00:00Z');
  const timer = manualTimer();
  const gateway: PaymentGateway = Object.assign(new MuteGateway(), { close: () => Promise.resolve() });
  const payments = runPayments({
    requestReply: openMemoryRequestReply(),
    gateway,
    store: new MemoryEventStore(clock),
    clock,
    randomness: seededRandomness('end'),
    timer,
    report: ({ message }) => {
      throw new Error(message);
    },
  });
  await payments.stop();
  expect(timer.waits).toEqual([]);
});
