import { expect, test } from '@jest/globals';
import { paymentGatewayContract } from '@waybill/shared-kernel/ports/payment-gateway.contract.js';
import type { PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { systemRandomness } from '../clock/system.js';
import { openHttpGateway } from './http-gateway.js';
import { Ledger } from './simulator/ledger.js';
import { slowness } from './simulator/payment.js';
import { simulatorUnderTest } from './testing/simulator-under-test.js';

paymentGatewayContract('HTTP, to the simulator', async () => {
  const simulator = await simulatorUnderTest();
  const open = (timeout: number): PaymentGateway =>
    openHttpGateway({
      url: simulator.url,
      randomness: systemRandomness,
      tuning: { timeout, backOff: { first: 1, most: 2 } },
    });
  const [gateway, hasty] = [open(20_000), open(50)];
  return {
    gateway,
    hasty,
    booksOf: async (reference) => {
      const ledger = new Ledger(simulator.ledgerFile, simulator.clock);
      try {
        return ledger.entries(reference);
      } finally {
        await ledger.close();
      }
    },
    decide: async () => simulator.clock.advance(slowness),
    vanish: () => simulator.close(),
    close: async () => {
      await Promise.all([gateway.close(), hasty.close()]);
      await simulator.remove();
    },
  };
});

test('a gateway that fails for a moment is asked again when it says that it is well, within the same call', async () => {
  const simulator = await simulatorUnderTest();
  const gateway = openHttpGateway({ url: simulator.url, randomness: systemRandomness });
  const payment = { reference: 'o1', amount: 5, currency: 'KRW', token: 'tok_fail_once' };
  expect(await gateway.authorise(payment)).toEqual({ reference: 'o1', status: 'authorised' });
  await gateway.close();
  await simulator.remove();
});
