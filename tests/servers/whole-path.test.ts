import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Deployment, reporting } from '../support/deployment.js';
import { partNames } from '../support/part-process.js';
import { ScratchServers } from '../support/scratch-servers.js';
import { describeWithServers, logs, realOrders } from '../support/servers-under-test.js';
import { waitUntil } from '../support/wait-until.js';
import { post } from '../support/write-client.js';

jest.setTimeout(300_000);

const testRealOrders = realOrders === undefined ? test.skip : test;

interface Order {
  readonly orderId: string;
  readonly status: string;
}

describeWithServers('the whole path in processes of its own, the payment gateway too', () => {
  describe.each(logs)('on $log, RabbitMQ and MongoDB', ({ server }) => {
    let servers: ScratchServers;
    let deployment: Deployment;
    let token: string;

    beforeAll(async () => {
      servers = await ScratchServers.create(server);
      deployment = await Deployment.create(servers.with(), {
        WAYBILL_WEBHOOK_SECRET: 'the gateway and we know it',
      });
      token = await deployment.token('shop');
      await deployment.startAll(['write-api', 'read-api', 'relay', 'projector']);
      const gateway = await deployment.start('payment-simulator', {
        WAYBILL_SIMULATOR_PORT: '0',
        WAYBILL_WEBHOOK_URL: `${deployment.the('write-api').url}/v1/payments/webhook`,
      });
      await deployment.start('fulfilment', { WAYBILL_PAYMENT_URL: gateway.url });
    });

    afterAll(async () => {
      await deployment.dispose();
      await servers.dispose();
    });

    /** Every order of a list, page by page. */
    async function list(query: string): Promise<Order[]> {
      const orders: Order[] = [];
      for (let cursor = ''; ;) {
        const url = `${deployment.the('read-api').url}/v1/orders?limit=100&${query}${cursor}`;
        const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
        expect(response.status).toBe(200);
        const page = (await response.json()) as { items: Order[]; next?: string };
        orders.push(...page.items);
        if (page.next === undefined) return orders;
        cursor = `&cursor=${encodeURIComponent(page.next)}`;
      }
    }

    async function history(asOf: string): Promise<Order[]> {
      const lines = await deployment.print('replay', 'history', '--as-of', asOf, '--json');
      return lines
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Order);
    }

    testRealOrders('takes the real orders into the read models, and the past comes out of the log', () =>
      reporting(deployment, async () => {
        const imported = await deployment.waybill<{ orders: number }>('import', 'olist', realOrders!);
        expect(imported.orders).toBe(4071);
        await deployment.settled();
        expect(statusCounts(await history('2017-11-24T23:59:59Z'))).toEqual({
          delivered: 1316,
          out_for_delivery: 92,
          confirmed: 58,
          placed: 20,
          rejected: 12,
          cancelled: 8,
        });
        const end = '2018-12-31T00:00:00Z';
        const shown = await list(`placedTo=${end}`);
        expect(shown).toHaveLength(4071);
        expect(statusCounts(shown)).toEqual(statusCounts(await history(end)));
        expect(await list(`placedTo=${end}&status=cancelled`)).toEqual(
          shown
            .filter(({ status }) => status === 'cancelled')
            .map((order): unknown => expect.objectContaining(idOf(order))),
        );
        expect(await deployment.waybill('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
      }),
    );

    test('takes orders through their whole life', () =>
      reporting(deployment, async () => {
        const words = ['demo', '--orders', '20', '--rate', '50'];
        const demo = await deployment.waybill<{ orders: { orderId: string; fate: string }[] }>(...words);
        expect(demo.orders).toHaveLength(20);
        const events = await deployment.settled();
        expect(await deployment.unbalanced(events)).toEqual([]);
        const statuses = new Map((await list('')).map(({ orderId, status }) => [orderId, status]));
        const ends: Readonly<Record<string, string>> = {
          delivered: 'delivered',
          'delivered-at-second-try': 'delivered',
          returned: 'delivery_failed',
          cancelled: 'cancelled',
          declined: 'rejected',
        };
        for (const { orderId, fate } of demo.orders)
          expect([orderId, statuses.get(orderId)]).toEqual([orderId, ends[fate]]);
        expect(await deployment.waybill('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
      }));

    test('takes the word of the gateway for a payment that took its time', () =>
      reporting(deployment, async () => {
        const suffix = randomUUID().slice(0, 8);
        const [productId, customerId, orderId] = [`tea-${suffix}`, `ann-${suffix}`, `slow-${suffix}`];
        const command = async (path: string, body: object): Promise<void> => {
          const { url } = deployment.the('write-api');
          expect(await post(url, path, token, randomUUID(), body)).toMatchObject({ status: 201 });
        };
        const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
        await command('/v1/products', { productId, name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } });
        await command('/v1/customers', { customerId, name: 'Ann', phone: '+49 30 1', address });
        const lines = [{ productId, quantity: 1 }];
        await command('/v1/orders', { orderId, customerId, lines, payment: { token: 'tok_slow' } });
        const payment = await waitUntil('it is paid', async () => {
          const events = await deployment.log();
          return events.find(({ type, partitionKey }) => type === 'PaymentAuthorised' && partitionKey === orderId);
        });
        expect(payment.actor).toEqual({ sub: 'gateway', role: 'gateway' });
        const events = await deployment.settled();
        expect(events.filter(({ stream }) => stream === `order-${orderId}`).map(({ type }) => type)).toEqual([
          'OrderPlaced',
          'OrderConfirmed',
        ]);
      }));

    test('stops in order when it is told to', () =>
      reporting(deployment, async () => {
        const names = [...partNames, 'payment-simulator'] as const;
        const codes = names.map(async (name) => [name, await deployment.the(name).stop()]);
        expect(await Promise.all(codes)).toEqual(names.map((name) => [name, 0]));
      }));
  });
});

function idOf({ orderId, status }: Order): Order {
  return { orderId, status };
}

function statusCounts(orders: readonly Order[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of orders) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
