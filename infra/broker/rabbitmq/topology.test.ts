import { afterEach, expect, test } from '@jest/globals';
import { queueBounds } from '@waybill/shared-kernel/ports/broker.js';
import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import { describeWithServer } from './testing/server-under-test.js';
import { SetUp } from './testing/set-up.js';
import { Notices } from './testing/traffic.js';

const queue = { consumer: 'test', partition: 0 };
describeWithServer('queues on RabbitMQ', () => {
  const setUp = new SetUp();

  afterEach(() => setUp.tearDown());

  test('a queue of other properties is a fault of configuration, told with what to do', async () => {
    await setUp.broker({ tuning: { bounds: { ...queueBounds, maxBatches: 10 } } }).declare(queue, ['order']);
    await expect(setUp.broker().declare(queue, ['order'])).rejects.toThrow(BadConfiguration);
  });

  test('removing a queue that is not there is silence; to consume or measure it is a mistake', async () => {
    const broker = setUp.broker();
    await broker.remove(queue);
    await expect(broker.depth(queue)).rejects.toThrow('test/0 is not declared');
    await expect(broker.consume(queue, 1, () => undefined)).rejects.toThrow('test/0 is not declared');
  });

  test('a server that does not answer is unavailable, also to whoever closes', async () => {
    const proxy = await setUp.proxy();
    const broker = setUp.broker({ tuning: { answerTimeoutMs: 200 } }, proxy);
    await broker.declare(queue, ['order']);
    proxy.stall();
    await expect(broker.depth(queue)).rejects.toThrow(Unavailable);
    await expect(broker.consume(queue, 1, () => undefined)).rejects.toThrow(Unavailable);
    await broker.close();
  });

  test('a server that is not there is unavailable, with the reason', async () => {
    const proxy = await setUp.proxy();
    const notices = new Notices();
    const broker = setUp.broker({ tuning: { answerTimeoutMs: 200 }, notify: notices.add }, proxy);
    await notices.atLeast(2, 'connected');
    await proxy.close();
    await notices.atLeast(6, 'lost');
    await expect(broker.declare(queue, ['order'])).rejects.toThrow(/does not answer.*ECONNREFUSED/);
  });
});
