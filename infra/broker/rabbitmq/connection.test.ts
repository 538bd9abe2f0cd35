import { afterEach, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { freePort } from '../../testing/loopback-port.js';
import { openRabbitMqBroker, type RabbitMqBroker } from './broker.js';

let broker: RabbitMqBroker | undefined;
afterEach(() => broker?.close());

test('a broker that is not connected says so, and why', async () => {
  let isTried = false;
  broker = openRabbitMqBroker({
    url: `amqp://127.0.0.1:${await freePort()}`,
    notify: ({ kind }) => {
      isTried ||= kind === 'lost';
    },
  });
  expect(() => broker?.assertConnected()).toThrow(Unavailable);
  await until(() => isTried);
  expect(() => broker?.assertConnected()).toThrow(/^RabbitMQ does not answer: .*ECONNREFUSED/);
});
