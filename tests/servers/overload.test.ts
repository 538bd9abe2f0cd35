import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Deployment, reporting } from '../support/deployment.js';
import { partNames } from '../support/part-process.js';
import { ScratchServers } from '../support/scratch-servers.js';
import { describeWithServers } from '../support/servers-under-test.js';
import { waitUntil } from '../support/wait-until.js';
import { type Answer, post } from '../support/write-client.js';

jest.setTimeout(300_000);

const callers = 12;

describeWithServers('more orders than are carried, on RabbitMQ and MongoDB', () => {
  let servers: ScratchServers;
  let deployment: Deployment;
  let token: string;

  beforeAll(async () => {
    servers = await ScratchServers.create();
    deployment = await Deployment.create(servers.with());
    token = await deployment.token('shop');
    await deployment.startAll(partNames);
    const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
    const unitPrice = { amount: 900, currency: 'EUR' };
    expect((await command('/v1/products', { productId: 'tea', name: 'Green Tea', unitPrice })).status).toBe(201);
    const customer = { customerId: 'ann', name: 'Ann', phone: '+49 30 1', address };
    expect((await command('/v1/customers', customer)).status).toBe(201);
  });

  afterAll(async () => {
    await deployment.dispose();
    await servers.dispose();
  });

  function command(path: string, body: object, key: string = randomUUID()): Promise<Answer> {
    return post(deployment.the('write-api').url, path, token, key, body);
  }

  const order = {
    customerId: 'ann',
    lines: [{ productId: 'tea', quantity: 1 }],
    payment: { token: 'tok_approve' },
  };

  test('new ones are refused for a while, nothing else is; late is never refused; what was taken is carried out', () =>
    reporting(deployment, async () => {
      const first = await command('/v1/orders', order, 'first');
      await deployment.settled();
      await deployment.the('fulfilment').kill();

      // Nobody carries anything.
      const taken: Answer[] = [first];
      let refused: Answer | undefined;
      const calling = Array.from({ length: callers }, async () => {
        while (refused === undefined) {
          const answer = await command('/v1/orders', order);
          if (answer.status === 201) taken.push(answer);
          else refused ??= answer;
        }
      });
      await Promise.all(calling);
      expect(refused).toMatchObject({ status: 429 });
      expect(JSON.parse(refused!.text)).toMatchObject({ type: 'urn:waybill:problem:overloaded', status: 429 });
      expect(refused!.headers.get('retry-after')).toMatch(/^([1-9]|10)$/);

      const again = await command('/v1/orders', order, 'first');
      expect([again.status, again.text]).toEqual([201, first.text]);
      const ids = taken.map(({ text }) => (JSON.parse(text) as { orderId: string }).orderId);
      expect((await command(`/v1/orders/${ids.at(-1)!}/cancellation`, { reason: 'late' })).status).toBe(200);
      const metrics = await (await fetch(`${deployment.the('write-api').url}/metrics`)).text();
      expect(metrics).toMatch(/waybill_commands_total\{[^}]*outcome="overloaded"[^}]*\} [1-9]/);

      // It stands still: they are safe in the log, and wait there.
      await waitUntil('orders are taken again', async () => (await command('/v1/orders', order)).status === 201);
      await deployment.start('fulfilment');
      const log = await deployment.settled();
      const decided = new Set(
        log.filter(({ type }) => /^Order(Confirmed|Cancelled)$/.test(type)).map(({ partitionKey }) => partitionKey),
      );
      expect(ids.filter((id) => !decided.has(id))).toEqual([]);
    }));
});
