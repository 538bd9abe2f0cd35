import { expect, test } from '@jest/globals';
import type { WaybillEvent } from '@waybill/shared-kernel/events/catalogue.js';
import { foldDocument } from './fold-document.js';
import { products, productView } from './products.js';
import { happening, listed } from '../testing/history.js';
import { known } from '../testing/recorded.js';

const onProduct = (event: WaybillEvent) => happening('product-P-1', 'P-1', event);

test('a product is what was said of it last', () => {
  const { sections, revisions } = foldDocument(
    products,
    known([
      listed('P-1', { at: '2026-03-01T12:00:00.000Z' }),
      onProduct({ type: 'ProductPriceChanged', data: { productId: 'P-1', unitPrice: 4200, currency: 'EUR' } }),
      onProduct({ type: 'ProductStockChanged', data: { productId: 'P-1', change: -1, stock: 2 } }),
      onProduct({ type: 'ProductWithdrawn', data: { productId: 'P-1' } }),
    ]),
  );
  expect(productView(sections, revisions)).toStrictEqual({
    productId: 'P-1',
    merchantId: 'm1',
    name: 'Desk-Lamp, brass',
    unitPrice: { amount: 4200, currency: 'EUR' },
    stock: 2,
    withdrawn: true,
    revision: 3,
  });
  expect(products.fields(sections)).toEqual({
    single: { merchantId: 'm1', listedAt: '2026-03-01T12:00:00.000Z' },
    multiple: { word: ['p-1', 'desk-lamp', 'desk', 'lamp', 'brass'] },
  });
});

test('what orders have set aside is not there for others, until it is given back', () => {
  const ofOrder = { productId: 'P-1', orderId: 'o1' };
  const held = onProduct({ type: 'StockReserved', data: { ...ofOrder, quantity: 2, stock: 1 } });
  const givenBack = onProduct({ type: 'StockReleased', data: { ...ofOrder, quantity: 2, stock: 3 } });
  const stockAfter = (...happenings: (typeof held)[]): number | undefined => {
    const { sections, revisions } = foldDocument(products, known([listed('P-1', {}), ...happenings]));
    return productView(sections, revisions)?.stock;
  };
  expect([stockAfter(held), stockAfter(held, givenBack)]).toEqual([1, 3]);
});

test('stock that is not counted is not shown', () => {
  const data = { productId: 'P-1', merchantId: 'm1', name: 'Lamp', unitPrice: 1, currency: 'KRW', stock: null };
  const { sections, revisions } = foldDocument(products, known([onProduct({ type: 'ProductListed', data })]));
  expect(productView(sections, revisions)).not.toHaveProperty('stock');
});

test('a product that was not listed is none', () => {
  const { sections, revisions } = foldDocument(
    products,
    known([onProduct({ type: 'ProductWithdrawn', data: { productId: 'P-1' } })]),
  );
  expect(productView(sections, revisions)).toBeUndefined();
  expect(products.fields(sections).single['listedAt']).toBeNull();
});
