import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import type { Role } from '@waybill/infra/http/identity/caller.js';
import {
  issueDevelopmentToken,
  openDevelopmentKey,
  type DevelopmentKey,
} from '@waybill/infra/http/identity/development-key.js';
import type { DeliveryView } from '@waybill/projections/read-models/deliveries.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { fetchSeeing } from './support/fetch-seeing.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';
import { post } from './support/write-client.js';

let folder: string;
let server: Server;
let key: DevelopmentKey;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-claims-'));
  server = await startServer(folder);
  key = await openDevelopmentKey(dataFiles(folder).developmentKey);
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const tokenOf = (sub: string, ...roles: Role[]) => issueDevelopmentToken(key, { sub, roles }, systemClock);

async function read<Body>(path: string, token: string): Promise<Body> {
  const response = await fetch(server.readUrl + path, { headers: { authorization: `Bearer ${token}` } });
  expect(response.status).toBe(200);
  return (await response.json()) as Body;
}

async function openDeliveries(orderIds: readonly string[], token: string): Promise<void> {
  const product = { productId: 'tea', name: 'Green Tea', unitPrice: { amount: 900, currency: 'EUR' } };
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  const customer = { customerId: 'ann', name: 'Ann', phone: '+49 30 1', address };
  const order = { customerId: 'ann', lines: [{ productId: 'tea', quantity: 2 }], payment: { token: 'tok_approve' } };
  await post(server.writeUrl, '/v1/products', token, 'product', product);
  await post(server.writeUrl, '/v1/customers', token, 'customer', customer);
  for (const orderId of orderIds) {
    expect((await post(server.writeUrl, '/v1/orders', token, orderId, { orderId, ...order })).status).toBe(201);
  }
}

test('of many couriers who claim the same deliveries at once one gets each, the others hear so', async () => {
  const shop = await tokenOf('shop', 'operator', 'merchant');
  const orderIds = ['o1', 'o2', 'o3', 'o4'];
  const couriers = Array.from({ length: 25 }, (_unused, index) => `k${index}`);
  await openDeliveries(orderIds, shop);
  const anybody = await tokenOf('k0', 'courier');
  await waitUntil('every delivery is open', async () => {
    const { items } = await read<{ items: readonly DeliveryView[] }>('/v1/deliveries?status=open', anybody);
    return items.length === orderIds.length;
  });

  const claims = await Promise.all(
    orderIds.flatMap((orderId) =>
      couriers.map(async (courierId) => {
        const path = `/v1/deliveries/${deliveryIdOf(orderId)}/assignment`;
        const token = await tokenOf(courierId, 'courier');
        return { orderId, courierId, ...(await post(server.writeUrl, path, token, 'claim', { courierId })) };
      }),
    ),
  );

  for (const orderId of orderIds) {
    const own = claims.filter((claim) => claim.orderId === orderId);
    const [winner, ...others] = own.filter(({ status }) => status === 200);
    expect(others).toEqual([]);
    for (const { status, text, headers } of own.filter((claim) => claim !== winner)) {
      expect([status, headers.get('content-type')]).toEqual([409, expect.stringContaining('application/problem+json')]);
      expect(JSON.parse(text)).toMatchObject({ type: 'urn:waybill:problem:rule-violated', rule: 'delivery-assigned' });
    }
    const token = winner!.headers.get('consistency-token')!;
    const response = await fetchSeeing(`${server.readUrl}/v1/orders/${orderId}/tracking`, {
      authorization: `Bearer ${shop}`,
      'consistency-token': token,
      prefer: 'wait=10',
    });
    expect(await response.json()).toMatchObject({ orderId, courierId: winner!.courierId });
  }
}, 120_000);
