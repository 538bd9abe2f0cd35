import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { openRabbitMqBroker, type RabbitMqBroker } from './broker.js';

let broker: RabbitMqBroker | undefined;
afterEach(() => broker?.close());

test('a broker that is not connected says so, and why', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  let isTried = false;
  broker = openRabbitMqBroker({
    url: `amqp://127.0.0.1:${port}`,
    notify: ({ kind }) => {
      isTried ||= kind === 'lost';
    },
  });
  expect(() => broker?.assertConnected()).toThrow(Unavailable);
  await until(() => isTried);
  expect(() => broker?.assertConnected()).toThrow(/^RabbitMQ does not answer: .*ECONNREFUSED/);
});
