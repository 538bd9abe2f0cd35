import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { RabbitMqServer } from '@waybill/infra/broker/rabbitmq/testing/rabbitmq-server.js';
import { ServerProcess } from '@waybill/infra/mongodb/testing/server-process.js';
import { Deployment, reporting } from '../support/deployment.js';
import { partNames } from '../support/part-process.js';
import { describeWithMortalServers } from '../support/servers-under-test.js';
import { waitUntil } from '../support/wait-until.js';
import { post } from '../support/write-client.js';

jest.setTimeout(300_000);

describeWithMortalServers('every process started before RabbitMQ and MongoDB', () => {
  const mongoDb = new ServerProcess();
  let rabbitMq: RabbitMqServer;
  let deployment: Deployment;

  beforeAll(async () => {
    [rabbitMq] = await Promise.all([RabbitMqServer.create(), mongoDb.start()]);
    await Promise.all([rabbitMq.kill(), mongoDb.kill()]);
    deployment = await Deployment.create({
      broker: rabbitMq.url,
      readStore: `${mongoDb.url}/waybill?directConnection=true`,
    });
  });

  afterAll(async () => {
    await deployment.dispose();
    await Promise.all([rabbitMq.dispose(), mongoDb.dispose()]);
  });

  test('goes on by itself when they come, and says so', () =>
    reporting(deployment, async () => {
      await deployment.startAll(partNames);
      const waiting = partNames.filter((name) => name !== 'write-api').map((name) => deployment.the(name));
      for (const part of waiting) {
        await waitUntil(`the ${part.name} says what it waits for`, () => part.output.includes('Waiting for: '));
      }

      const token = await deployment.token('shop');
      const [write, read] = [deployment.the('write-api').url, deployment.the('read-api').url];
      const send = async (path: string, body: object): Promise<void> => {
        expect(await post(write, path, token, path, body)).toMatchObject({ status: 201 });
      };
      const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
      await send('/v1/products', { productId: 'tea', name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } });
      await send('/v1/customers', { customerId: 'ann', name: 'Ann', phone: '1', address });
      const lines = [{ productId: 'tea', quantity: 1 }];
      await send('/v1/orders', { orderId: 'o1', customerId: 'ann', lines, payment: { token: 'tok_approve' } });

      const get = () => fetch(`${read}/v1/orders/o1`, { headers: { authorization: `Bearer ${token}` } });
      const refused = await get();
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);

      await mongoDb.start();
      await waitUntil('the order is read, RabbitMQ down or not', async () => (await get()).status === 200);
      await rabbitMq.start();
      await waitUntil('the order is confirmed', async () => {
        const { status } = (await (await get()).json()) as { status: string };
        return status === 'confirmed';
      });
      for (const part of waiting) {
        await waitUntil(`the ${part.name} has all`, () => part.output.includes('Everything that is needed is there.'));
      }
    }));
});
