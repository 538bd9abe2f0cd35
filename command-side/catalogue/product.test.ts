import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IdTaken, NotFound, RuleViolated, WaybillError } from '@waybill/shared-kernel/errors.js';
import type { ProductEvent } from '@waybill/shared-kernel/events/product.js';
import { given } from '../testing/given.js';
import { product, type ProductCommand, type ProductState } from './product.js';

const productId = 'p1';
const facts = { productId, merchantId: 'm1', name: 'Tea', unitPrice: 500, currency: 'KRW', stock: 3 };
const listed: ProductEvent = { type: 'ProductListed', data: facts };
const uncounted: ProductEvent = { type: 'ProductListed', data: { ...facts, stock: null } };
const priced: ProductEvent = { type: 'ProductPriceChanged', data: { productId, unitPrice: 600, currency: 'KRW' } };
const stocked = (change: number, stock: number): ProductEvent => ({
  type: 'ProductStockChanged',
  data: { productId, change, stock },
});
const withdrawn: ProductEvent = { type: 'ProductWithdrawn', data: { productId } };

const list: ProductCommand = { type: 'ListProduct', product: facts };
const price: ProductCommand = { type: 'ChangeProductPrice', productId, unitPrice: 600, currency: 'KRW' };
const stock = (change: number): ProductCommand => ({ type: 'ChangeProductStock', productId, change });
const withdraw: ProductCommand = { type: 'WithdrawProduct', productId };

describe('a product', () => {
  test('is listed once', () => {
    given(product, []).when(list).then(listed);
    given(product, [listed]).when(list).refused(IdTaken, { id: productId });
  });

  test('changes its price', () => {
    given(product, [listed]).when(price).then(priced).butNotAgain();
    given(product, [listed, withdrawn]).when(price).refused(RuleViolated, { rule: 'product-withdrawn' });
  });

  test('counts its stock, never below none', () => {
    given(product, [listed]).when(stock(2)).then(stocked(2, 5));
    given(product, [listed]).when(stock(-3)).then(stocked(-3, 0));
    given(product, [listed]).when(stock(-4)).refused(RuleViolated, { rule: 'stock-below-zero' });
    given(product, [listed])
      .when(stock(1e15 - 3))
      .then(stocked(1e15 - 3, 1e15));
    given(product, [listed])
      .when(stock(1e15 - 2))
      .refused(RuleViolated, { rule: 'stock-too-large' });
    given(product, [listed, stocked(1, 1e15 + 7)])
      .when(stock(-1))
      .then(stocked(-1, 1e15 + 6));
    given(product, [listed]).when(stock(0)).then();
    given(product, [listed, withdrawn]).when(stock(1)).refused(RuleViolated, { rule: 'product-withdrawn' });
  });

  test('is counted from the first change on where it was not', () => {
    given(product, [uncounted]).when(stock(7)).then(stocked(7, 7));
    given(product, [uncounted]).when(stock(-1)).refused(RuleViolated, { rule: 'stock-below-zero' });
  });

  test('is withdrawn', () => {
    given(product, [listed]).when(withdraw).then(withdrawn).butNotAgain();
  });

  test.each([price, stock(1), withdraw].map((command) => [command.type, command] as const))(
    'takes no %s before it is listed',
    (_, command) => given(product, []).when(command).refused(NotFound, { what: 'product', id: productId }),
  );
});

test('any product folds whatever happened in whatever order, stays withdrawn, and refuses with data', () => {
  const anyEvent = fc.constantFrom(listed, uncounted, priced, stocked(1, 4), stocked(-4, 0), withdrawn);
  const anyCommand = fc.constantFrom(list, price, stock(2), stock(-2), withdraw);
  fc.assert(
    fc.property(fc.array(anyEvent), anyCommand, (history, command) => {
      let state: ProductState = product.initialState;
      for (const event of history) {
        const next = product.evolve(state, event);
        if (state.status === 'withdrawn') expect(next.status).toBe('withdrawn');
        if (state.status !== 'none') expect(next.status).not.toBe('none');
        state = next;
      }
      try {
        const after = product.decide(command, state).reduce(product.evolve, state);
        expect(after.status !== 'none' && (after.stock ?? 0)).toBeGreaterThanOrEqual(0);
      } catch (error) {
        expect(error).toBeInstanceOf(WaybillError);
      }
    }),
  );
});
