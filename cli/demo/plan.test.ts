import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import { planDemo } from './plan.js';

const chances = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 });

function repeating(numbers: readonly number[]) {
  let index = 0;
  return () => numbers[index++ % numbers.length]!;
}

test('a plan holds together whatever the chances, and the same chances give the same plan', () => {
  fc.assert(
    fc.property(chances, fc.integer({ min: 1, max: 50 }), (numbers, count) => {
      const plan = planDemo('demo-x', count, repeating(numbers));
      expect(planDemo('demo-x', count, repeating(numbers))).toEqual(plan);
      const products = new Map(plan.products.map((product) => [product.productId, product]));
      const customers = new Set(plan.customers.map(({ customerId }) => customerId));
      expect(plan.orders).toHaveLength(count);
      for (const { customerId, courierId, lines } of plan.orders) {
        expect(customers).toContain(customerId);
        expect(courierId).toMatch(idPattern);
        expect(new Set(lines.map(({ productId }) => products.get(productId)?.merchantId)).size).toBe(1);
        expect(new Set(lines.map(({ productId }) => productId)).size).toBe(lines.length);
      }
      for (const id of [...products.keys(), ...customers]) expect(id).toMatch(idPattern);
    }),
  );
});

test('of many orders there are all fates, and a few payments that take their time', () => {
  let state = 1;
  const chance = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const { orders } = planDemo('demo-x', 200, chance);
  const fates = new Set(orders.map(({ fate }) => fate));
  expect([...fates].toSorted()).toEqual(['cancelled', 'declined', 'delivered', 'delivered-at-second-try', 'returned']);
  for (const { fate, paymentToken } of orders) expect(paymentToken === 'tok_decline').toBe(fate === 'declined');
  const slow = orders.filter(({ paymentToken }) => paymentToken === 'tok_slow');
  expect(slow.length).toBeGreaterThan(0);
  expect(slow.length).toBeLessThan(20);
});
