import { expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { slowness } from '@waybill/infra/payment-gateway/simulator/payment.js';
import type { GatewayPayment } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { paymentGatewayContract } from '@waybill/shared-kernel/ports/payment-gateway.contract.js';
import { GatewayOfTests } from './gateway.js';

paymentGatewayContract('within the process', async () => {
  const clock = virtualClock(0);
  const gateway = new GatewayOfTests(clock);
  return {
    gateway,
    hasty: gateway,
    booksOf: async (reference) => gateway.ledger.filter((booking) => booking.reference === reference),
    decide: async () => clock.advance(slowness),
    vanish: async () => {
      gateway.fate = () => 'lost';
    },
    close: () => gateway.close(),
  };
});

test('it tells what it decided later, what nobody heard, and some things twice', async () => {
  const clock = virtualClock(0);
  const gateway = new GatewayOfTests(clock);
  const told: GatewayPayment[] = [];
  gateway.notify = (notice) => told.push(notice);
  const payment = { amount: 500, currency: 'KRW' };
  await gateway.authorise({ ...payment, reference: 'slow', token: 'tok_slow' });
  await gateway.authorise({ ...payment, reference: 'double', token: 'tok_double' });
  gateway.fate = () => 'unheard';
  await gateway.authorise({ ...payment, reference: 'unheard', token: 'tok_decline' }).catch(() => undefined);
  gateway.decide();
  clock.advance(slowness);
  gateway.decide();
  gateway.decide();
  expect(told).toEqual([
    { reference: 'double', status: 'authorised' },
    { reference: 'double', status: 'authorised' },
    { reference: 'unheard', status: 'declined', reason: 'The card was declined.' },
    { reference: 'slow', status: 'authorised' },
  ]);
});
