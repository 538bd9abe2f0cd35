import { afterAll, describe, test } from '@jest/globals';
import { brokerContract } from '@waybill/shared-kernel/ports/broker.contract.js';
import { ScratchNames } from './testing/scratch-names.js';
import { amqpUrl } from './testing/server-under-test.js';

if (amqpUrl === '') {
  describe.skip('broker: RabbitMQ', () => {
    test('needs WAYBILL_TEST_AMQP=amqp://…', () => undefined);
  });
} else {
  const used: ScratchNames[] = [];

  afterAll(async () => {
    for (const names of used) await names.dispose(amqpUrl);
  });

  brokerContract('RabbitMQ', {
    open: async (bounds) => {
      const names = new ScratchNames();
      used.push(names);
      return names.open({ url: amqpUrl, tuning: { bounds } });
    },
  });
}
