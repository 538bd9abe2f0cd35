import { paymentGatewayContract } from '@waybill/shared-kernel/ports/payment-gateway.contract.js';
import { systemRandomness } from '../clock/system.js';
import { openHttpGateway } from './http-gateway.js';
import { Ledger } from './simulator/ledger.js';
import { slowness } from './simulator/payment.js';
import { simulatorUnderTest } from './testing/simulator-under-test.js';

paymentGatewayContract('HTTP, to the simulator', async () => {
  const simulator = await simulatorUnderTest();
  const gateway = openHttpGateway({
    url: simulator.url,
    randomness: systemRandomness,
    tuning: { timeout: 300, backOff: { first: 1, most: 2 } },
  });
  return {
    gateway,
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
      await gateway.close();
      await simulator.remove();
    },
  };
});
