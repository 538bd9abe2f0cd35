import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { amqpUrl, describeWithServer } from '@waybill/infra/broker/rabbitmq/testing/server-under-test.js';
import { ownServers } from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { freePort } from '@waybill/infra/testing/loopback-port.js';
import { Waybill } from './testing/waybill.js';

// Each test starts some processes.
jest.setTimeout(120_000);

let waybill: Waybill;

beforeEach(async () => {
  waybill = new Waybill();
  await waybill.importSmall();
});

afterEach(() => {
  waybill.remove();
});

describe('waybill status names a server that is down, and ends with 3:', () => {
  test('the event store', async () => {
    waybill.environment = { WAYBILL_EVENT_STORE: `esdb://127.0.0.1:${await freePort()}?tls=false` };
    const { code, stdout, stderr } = await waybill.run('status');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^EventStoreDB cannot be reached /);
  });

  test('the read store', async () => {
    waybill.environment = { WAYBILL_READ_STORE: `mongodb://127.0.0.1:${await freePort()}` };
    const { code, stdout, stderr } = await waybill.run('status');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^MongoDB /);
  });

  test('the broker, with all that is known without it', async () => {
    const address = `amqp://127.0.0.1:${await freePort()}`;
    waybill.environment = { WAYBILL_BROKER: address };
    const { code, stdout, stderr } = await waybill.run('status', '--json');
    expect(code).toBe(3);
    expect(stderr).toMatch(`RabbitMQ at ${address} does not answer: `);
    expect(JSON.parse(stdout)).toMatchObject({
      log: { position: '43' },
      queues: null,
      deadLetters: null,
      down: ['broker'],
    });
  });
});

test.each(ownServers)('waybill status reads a log in EventStoreDB, $name', async ({ start }) => {
  const server = await start();
  expect(await waybill.run('migrate', '--to', server.url)).toMatchObject({ code: 0 });
  waybill.environment = { WAYBILL_EVENT_STORE: server.url };
  waybill.dataFolder = `${waybill.dataFolder}-new`;
  mkdirSync(waybill.dataFolder);
  expect(await waybill.json('status')).toMatchObject({
    relay: { lagEvents: 43 },
    projections: [
      { name: 'orders', lagEvents: 43 },
      { name: 'deliveries', lagEvents: 13 },
      { name: 'products' },
      { name: 'customers' },
    ],
  });
  await server.dispose();
});

describeWithServer('waybill status, with RabbitMQ', () => {
  test('counts what waits in the queues of each consumer', async () => {
    waybill.environment = { WAYBILL_BROKER: amqpUrl };
    const { queues, down } = await waybill.json<{ readonly queues: readonly object[]; readonly down: unknown }>(
      'status',
    );
    expect(down).toEqual([]);
    const count = expect.any(Number);
    expect(queues).toEqual(
      ['orders.v2', 'deliveries.v3', 'products.v1', 'customers.v1', 'fulfilment'].map((consumer) => ({
        consumer,
        queues: count,
        messages: count,
        read: count,
      })),
    );
  });
});
