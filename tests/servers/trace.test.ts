import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { RabbitMqServer } from '@waybill/infra/broker/rabbitmq/testing/rabbitmq-server.js';
import { ServerProcess } from '@waybill/infra/mongodb/testing/server-process.js';
import { Deployment, reporting } from '../support/deployment.js';
import { OtlpReceiver } from '../support/otlp-receiver.js';
import { partNames } from '../support/part-process.js';
import { describeWithMortalServers } from '../support/servers-under-test.js';
import { waitUntil } from '../support/wait-until.js';
import { post } from '../support/write-client.js';

jest.setTimeout(300_000);

describeWithMortalServers('a request through every process', () => {
  const mongoDb = new ServerProcess();
  let rabbitMq: RabbitMqServer;
  let receiver: OtlpReceiver;
  let deployment: Deployment;

  beforeAll(async () => {
    [rabbitMq, receiver] = await Promise.all([RabbitMqServer.create(), OtlpReceiver.start(), mongoDb.start()]);
    const readStore = `${mongoDb.url}/waybill?directConnection=true`;
    deployment = await Deployment.create({ broker: rabbitMq.url, readStore }, receiver.environment);
  });

  afterAll(async () => {
    await deployment.dispose();
    await Promise.all([rabbitMq.dispose(), mongoDb.dispose(), receiver.close()]);
  });

  test('is one trace', () =>
    reporting(deployment, async () => {
      await deployment.startAll(partNames);
      const token = await deployment.token('shop');
      const [write, read] = [deployment.the('write-api').url, deployment.the('read-api').url];
      const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
      const product = { productId: 'tea', name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } };
      await post(write, '/v1/products', token, '1', product);
      await post(write, '/v1/customers', token, '2', { customerId: 'ann', name: 'Ann', phone: '1', address });
      // From here on messages are followed, and what is placed is no history to catch up with.
      await deployment.settled();

      const traceId = randomBytes(16).toString('hex');
      const traceparent = `00-${traceId}-${randomBytes(8).toString('hex')}-01`;
      const headers = { authorization: `Bearer ${token}`, traceparent };
      const lines = [{ productId: 'tea', quantity: 1 }];
      const order = { orderId: 'o1', customerId: 'ann', lines, payment: { token: 'tok_approve' } };
      const placed = await fetch(`${write}/v1/orders`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': '3' },
        body: JSON.stringify(order),
      });
      expect(placed.status).toBe(201);
      const consistency = { 'consistency-token': placed.headers.get('consistency-token') ?? '' };
      await waitUntil('the order is read', async () => {
        return (await fetch(`${read}/v1/orders/o1`, { headers: { ...headers, ...consistency } })).ok;
      });
      await waitUntil('the order is confirmed, what it costs being reserved', async () => {
        const { status } = (await (await fetch(`${read}/v1/orders/o1`, { headers })).json()) as { status?: string };
        return status === 'confirmed';
      });

      const expected = [
        'fulfilment: append delivery',
        'fulfilment: append fulfilment',
        'fulfilment: append order',
        'fulfilment: append payment',
        'fulfilment: fulfil fulfilment',
        'projector: project orders.v2',
        'read-api: GET /v1/orders/:orderId',
        'relay: publish waybill.event-batches',
        'write-api: POST /v1/orders',
        'write-api: append order',
      ];
      await waitUntil('every span of it has come', () => {
        const found = new Set(receiver.of(traceId).map(({ service, name }) => `${service}: ${name}`));
        return expected.every((span) => found.has(span));
      });
    }));
});
