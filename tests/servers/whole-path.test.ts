import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { RabbitMqServer } from '@waybill/infra/broker/rabbitmq/testing/rabbitmq-server.js';
import { ScratchDatabase } from '@waybill/infra/mongodb/testing/server-under-test.js';
import { Deployment, reporting } from '../support/deployment.js';
import { partNames } from '../support/part-process.js';
import { describeWithServers, logs, realOrders } from '../support/servers-under-test.js';

jest.setTimeout(300_000);

const testRealOrders = realOrders === undefined ? test.skip : test;

interface Order {
  readonly orderId: string;
  readonly status: string;
}

describeWithServers('the whole path in processes of its own', () => {
  describe.each(logs)('on $log, RabbitMQ and MongoDB', ({ eventStore }) => {
    const database = new ScratchDatabase();
    let rabbitMq: RabbitMqServer;
    let deployment: Deployment;
    let token: string;

    beforeAll(async () => {
      rabbitMq = await RabbitMqServer.create();
      deployment = await Deployment.create({ eventStore, broker: rabbitMq.url, readStore: database.url });
      token = await deployment.token('shop');
      await deployment.startAll(partNames);
    });

    afterAll(async () => {
      await deployment.dispose();
      await rabbitMq.dispose();
      await database.dispose();
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
        await deployment.settled();
        const statuses = new Map((await list('')).map(({ orderId, status }) => [orderId, status]));
        const ends: Readonly<Record<string, string>> = {
          delivered: 'delivered',
          'delivered-at-second-try': 'delivered',
          returned: 'delivery_failed',
          cancelled: 'cancelled',
        };
        for (const { orderId, fate } of demo.orders)
          expect([orderId, statuses.get(orderId)]).toEqual([orderId, ends[fate]]);
        expect(await deployment.waybill('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
      }));

    test('stops in order when it is told to', () =>
      reporting(deployment, async () => {
        const codes = partNames.map(async (name) => [name, await deployment.the(name).stop()]);
        expect(await Promise.all(codes)).toEqual(partNames.map((name) => [name, 0]));
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
