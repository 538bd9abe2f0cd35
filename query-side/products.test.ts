import { beforeEach, expect, test } from '@jest/globals';
import type { ProductView } from '@waybill/projections/read-models/products.js';
import { happening } from '@waybill/projections/testing/history.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import type { ReadSide, CallAs } from './testing/read-side.js';
import { readSideForEach } from './testing/read-side-for-each.js';

interface Page {
  readonly items: readonly ProductView[];
  readonly next?: string;
}

let side: ReadSide;
const listed = (productId: string, merchantId: string, name: string, second: number) =>
  happening(
    streamName('product', productId),
    productId,
    { type: 'ProductListed', data: { productId, merchantId, name, unitPrice: 4500, currency: 'EUR', stock: null } },
    { at: `2026-02-01T00:00:0${second}.000Z` },
  );

readSideForEach((opened) => {
  side = opened;
});
beforeEach(async () => {
  await side.history(
    listed('P-1', 'm1', 'Desk-Lamp, brass', 1),
    listed('P-2', 'm1', 'Shade', 2),
    listed('P-3', 'm2', 'Lamp', 3),
    happening(streamName('product', 'P-2'), 'P-2', { type: 'ProductWithdrawn', data: { productId: 'P-2' } }),
  );
});

const ids = async (query: string) =>
  (await side.get<Page>(`/v1/products${query}`, customer)).body.items.map(({ productId }) => productId);
const customer: CallAs = { sub: 'ada', roles: ['customer'] };

test('the catalogue is there for everybody, newest first', async () => {
  expect(await ids('')).toEqual(['P-3', 'P-2', 'P-1']);
  expect(await ids('?merchantId=m1')).toEqual(['P-2', 'P-1']);
  expect(await ids('?q=lamp')).toEqual(['P-3', 'P-1']);
  expect(await ids('?q=lamp&merchantId=m2')).toEqual(['P-3']);
  const { body } = await side.get<Page>('/v1/products?limit=2', customer);
  expect(await ids(`?limit=2&cursor=${body.next}`)).toEqual(['P-1']);
  expect((await side.get('/v1/products?status=x', customer)).status).toBe(400);
});

test('a product is as the contract says', async () => {
  const { body } = await side.get('/v1/products/P-2', customer);
  expect(body).toEqual({
    productId: 'P-2',
    merchantId: 'm1',
    name: 'Shade',
    unitPrice: { amount: 4500, currency: 'EUR' },
    withdrawn: true,
    revision: 1,
    freshness: expect.anything() as unknown,
  });
});

test('a product is waited for', async () => {
  const token = await side.happen(listed('P-4', 'm1', 'Bulb', 4));
  const as: CallAs = { ...customer, headers: { 'Consistency-Token': token } };
  expect((await side.get('/v1/products/P-4', as)).status).toBe(503);
  side.whileWaiting = () => side.project();
  expect((await side.get('/v1/products/P-4', as)).status).toBe(200);
  expect(await ids('')).toContain('P-4');
});
