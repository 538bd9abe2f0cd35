import { expect, test } from '@jest/globals';
import type { WaybillEvent } from '@waybill/shared-kernel/events/catalogue.js';
import { foldDocument } from './fold-document.js';
import { products, productView } from './products.js';
import { happening, listed } from './testing/history.js';
import { known } from './testing/recorded.js';

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
