import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import type { OrderView } from '@waybill/projections/read-models/orders.js';
import type { ProductView } from '@waybill/projections/read-models/products.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';
import { post, type Answer } from './support/write-client.js';

let folder: string;
let server: Server;
let token: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-hot-product-'));
  server = await startServer(folder);
  const key = await openDevelopmentKey(dataFiles(folder).developmentKey);
  token = await issueDevelopmentToken(key, { sub: 'shop', roles: ['operator', 'merchant'] }, systemClock);
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function read<Body>(path: string): Promise<Body> {
  const response = await fetch(server.readUrl + path, { headers: { authorization: `Bearer ${token}` } });
  expect(response.status).toBe(200);
  return (await response.json()) as Body;
}

async function done(path: string, body: unknown): Promise<Answer> {
  const answer = await post(server.writeUrl, path, token, `${path} ${JSON.stringify(body)}`, body);
  expect([200, 201, answer.text]).toContain(answer.status);
  return answer;
}

const place = (orderId: string): Promise<Answer> =>
  done('/v1/orders', {
    orderId,
    customerId: 'ann',
    lines: [{ productId: 'tea', quantity: 1 }],
    payment: { token: 'tok_approve' },
  });

async function ordersThatAre(status: OrderView['status']): Promise<readonly OrderView[]> {
  const orders: OrderView[] = [];
  let query = `?status=${status}&limit=100`;
  for (;;) {
    const page = await read<{ items: readonly OrderView[]; next?: string }>(`/v1/orders${query}`);
    orders.push(...page.items);
    if (page.next === undefined) return orders;
    query = `?status=${status}&limit=100&cursor=${encodeURIComponent(page.next)}`;
  }
}

const stock = async (): Promise<number | undefined> => (await read<ProductView>('/v1/products/tea')).stock;

test('of 200 who buy 50 pieces at once 50 have one, the others hear why not, and what is given back is sold again', async () => {
  const product = { productId: 'tea', name: 'Green Tea', unitPrice: { amount: 900, currency: 'EUR' }, stock: 50 };
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  await done('/v1/products', product);
  await done('/v1/customers', { customerId: 'ann', name: 'Ann', phone: '+49 30 1', address });
  await Promise.all(Array.from({ length: 200 }, (_, index) => place(`o${index}`)));

  const [confirmed, rejected] = await waitUntil('everybody has heard', async () => {
    const both = [await ordersThatAre('confirmed'), await ordersThatAre('rejected')] as const;
    return both.flat().length === 200 && both;
  });
  expect([confirmed.length, rejected.length]).toEqual([50, 150]);
  for (const { rejection } of rejected) expect(rejection?.reason).toContain('tea');
  await waitUntil('the catalogue shows that there is none', async () => (await stock()) === 0);

  await done(`/v1/orders/${confirmed[0]!.orderId}/cancellation`, { reason: 'changed my mind' });
  await waitUntil('what was cancelled is there again', async () => (await stock()) === 1);
  await place('late');
  await waitUntil('it is sold again', async () => (await read<OrderView>('/v1/orders/late')).status === 'confirmed');
  await waitUntil('and there is none again', async () => (await stock()) === 0);
  expect((await ordersThatAre('confirmed')).map(({ orderId }) => orderId)).toContain('late');
}, 120_000);
