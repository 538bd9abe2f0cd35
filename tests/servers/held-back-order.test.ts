import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { openEventStore } from '@waybill/infra/process/engines.js';
import { happening } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { Deployment, reporting } from '../support/deployment.js';
import { partNames } from '../support/part-process.js';
import { ScratchServers } from '../support/scratch-servers.js';
import { describeWithServers, logsOrStandIn } from '../support/servers-under-test.js';
import { waitUntil } from '../support/wait-until.js';
import { post } from '../support/write-client.js';

jest.setTimeout(300_000);

/** Unlike those of other runs on the same log. */
const run = randomUUID().slice(0, 8);
const held = `held-${run}`;
/** Others of its partition, which would wait if it were that which stands still. */
const neighbours = Array.from({ length: 200 }, (_, index) => `order-${index}-${run}`)
  .filter((orderId) => partitionOf(orderId) === partitionOf(held))
  .slice(0, 3);

describeWithServers.each(logsOrStandIn)('an order that is held back on $log, RabbitMQ and MongoDB', ({ server }) => {
  let servers: ScratchServers;
  let deployment: Deployment;
  let token: string;

  beforeAll(async () => {
    servers = await ScratchServers.create(server);
    deployment = await Deployment.create(servers.with());
    token = await deployment.token('shop');
    await deployment.startAll(partNames);
    const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
    const unitPrice = { amount: 900, currency: 'EUR' };
    await command('/v1/products', { productId: `tea-${run}`, name: 'Green Tea', unitPrice });
    await command('/v1/customers', { customerId: `ann-${run}`, name: 'Ann', phone: '+49 30 1', address });
  });

  afterAll(async () => {
    await deployment.dispose();
    await servers.dispose();
  });

  async function command(path: string, body: object): Promise<void> {
    const { url } = deployment.the('write-api');
    expect(await post(url, path, token, randomUUID(), body)).toMatchObject({ status: 201 });
  }

  function place(orderId: string): Promise<void> {
    const lines = [{ productId: `tea-${run}`, quantity: 2 }];
    return command('/v1/orders', { orderId, customerId: `ann-${run}`, lines, payment: { token: 'tok_approve' } });
  }

  async function isConfirmed(orderId: string): Promise<boolean> {
    const { url } = deployment.the('read-api');
    const response = await fetch(`${url}/v1/orders/${orderId}`, { headers: { authorization: `Bearer ${token}` } });
    return ((await response.json()) as { status?: string }).status === 'confirmed';
  }

  function listed(): Promise<{ readonly entries: readonly object[] }> {
    return deployment.waybill('quarantine', 'list');
  }

  test('is listed, others of its partition go on, and it does when it is released', () =>
    reporting(deployment, async () => {
      const fault = {
        eventId: 'e',
        eventType: 'OrderPlaced',
        stream: `order-${held}`,
        revision: 0,
        error: 'TypeError',
      };
      const log = openEventStore(deployment.config, { clock: systemClock });
      const data = { orderId: held, ...fault };
      await appendAll(log, [happening(`fulfilment-${held}`, held, { type: 'FulfilmentSuspended', data })]);
      await log.close();
      await place(held);
      for (const orderId of neighbours) await place(orderId);
      for (const orderId of neighbours) await waitUntil('a neighbour is confirmed', () => isConfirmed(orderId));
      await waitUntil('it is listed', async () => (await listed()).entries.length > 0);
      expect(await listed()).toMatchObject({ entries: [{ projection: 'fulfilment', key: held, error: 'TypeError' }] });
      expect(await deployment.waybill('status')).toMatchObject({ suspended: 1, quarantine: 1 });
      expect(await isConfirmed(held)).toBe(false);

      expect(await deployment.waybill('quarantine', 'release', held, '--reason', 'it is mended')).toMatchObject({
        released: [{ projection: 'fulfilment', key: held }],
        failed: [],
      });
      await waitUntil('it is confirmed', () => isConfirmed(held));
      expect(await listed()).toEqual({ entries: [] });
      await deployment.settled();
      expect(await deployment.waybill('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
    }));
});
