import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ProductEvent } from '@waybill/shared-kernel/events/product.js';
import { product, type ProductState } from './product.js';
import { decideStock, type StockCommand, type StockHistory } from './stock.js';

const productId = 'p1';
const listed: ProductEvent = {
  type: 'ProductListed',
  data: { productId, merchantId: 'm1', name: 'Tea', unitPrice: 500, currency: 'KRW', stock: 3 },
};
const uncounted: ProductEvent = { ...listed, data: { ...listed.data, stock: null } };
const withdrawn: ProductEvent = { type: 'ProductWithdrawn', data: { productId } };
const after = (...events: ProductEvent[]): ProductState => events.reduce(product.evolve, product.initialState);

const nothing: StockHistory = { reserved: false, released: false };
const reserved: StockHistory = { ...nothing, reserved: true };
const released: StockHistory = { ...nothing, released: true };

const ofOrder = { productId, orderId: 'o1' };
const reserve = (quantity: number): StockCommand => ({ type: 'ReserveStock', ...ofOrder, quantity });
const release = (quantity: number, certain = false): StockCommand => ({
  type: 'ReleaseStock',
  ...ofOrder,
  quantity,
  certain,
});
const recorded = (type: 'StockReserved' | 'StockReleased', quantity: number, stock: number): ProductEvent => ({
  type,
  data: { ...ofOrder, quantity, stock },
});

describe('of a product, an order', () => {
  test('reserves what there is, down to the last piece, and no more', () => {
    const all = { outcome: 'reserved', event: recorded('StockReserved', 3, 0) };
    expect(decideStock(reserve(3), after(listed), nothing)).toEqual(all);
    expect(decideStock(reserve(4), after(listed), nothing)).toEqual({ outcome: 'refused' });
    expect(decideStock(reserve(1), after(), nothing)).toEqual({ outcome: 'uncounted' });
  });

  test('that asks again has what it has, even where there is no more', () => {
    expect(decideStock(reserve(3), after(listed, recorded('StockReserved', 3, 0)), reserved)).toEqual({
      outcome: 'reserved',
    });
  });

  test('that let go, before or after it had anything, gets nothing', () => {
    expect(decideStock(reserve(1), after(listed), released)).toEqual({ outcome: 'refused' });
    expect(decideStock(reserve(1), after(listed), { reserved: true, released: true })).toEqual({ outcome: 'refused' });
  });

  test('gives back what it has, and once', () => {
    const left = after(listed, recorded('StockReserved', 2, 1));
    const back = { outcome: 'released', event: recorded('StockReleased', 2, 3) };
    expect(decideStock(release(2), left, reserved)).toEqual(back);
    expect(decideStock(release(2, true), left, nothing)).toEqual(back);
    expect(decideStock(release(2, true), after(listed), released)).toEqual({ outcome: 'released' });
  });

  test('that has nothing gives nothing back, and will have nothing', () => {
    const never = { outcome: 'released', event: recorded('StockReleased', 0, 3) };
    expect(decideStock(release(2), after(listed), nothing)).toEqual(never);
  });

  test('leaves alone what is not counted', () => {
    expect(decideStock(reserve(9), after(uncounted), nothing)).toEqual({ outcome: 'uncounted' });
    expect(decideStock(reserve(9), after(), nothing)).toEqual({ outcome: 'uncounted' });
    expect(decideStock(release(9), after(uncounted), nothing)).toEqual({ outcome: 'released' });
    expect(decideStock(release(9), after(), nothing)).toEqual({ outcome: 'released' });
  });

  test('that was placed before the product was withdrawn is served', () => {
    const state = after(listed, withdrawn);
    expect(decideStock(reserve(1), state, nothing)).toMatchObject({
      outcome: 'reserved',
      event: { type: 'StockReserved' },
    });
    expect(decideStock(release(1), state, reserved)).toMatchObject({ event: { data: { quantity: 1, stock: 4 } } });
  });
});

test('whatever orders ask, however often and in whatever order, every piece is accounted for', () => {
  const orderId = fc.constantFrom('o1', 'o2', 'o3', 'o4');
  // What an order asks for is always the same.
  const quantityOf = { o1: 1, o2: 2, o3: 3, o4: 7 } as Record<string, number>;
  const asked = fc.oneof(
    orderId.map((id): StockCommand => ({ type: 'ReserveStock', productId, orderId: id, quantity: quantityOf[id]! })),
    orderId.map((id): StockCommand => ({
      type: 'ReleaseStock',
      productId,
      orderId: id,
      quantity: quantityOf[id]!,
      certain: false,
    })),
  );
  const changed = fc.integer({ min: -6, max: 9 });
  fc.assert(
    fc.property(fc.nat(12), fc.array(fc.oneof(asked, changed), { maxLength: 40 }), (initial, steps) => {
      let state = after({ ...listed, data: { ...listed.data, stock: initial } });
      let expected = initial;
      const history = new Map<string, StockHistory>();
      const holds = new Map<string, number>();
      for (const step of steps) {
        if (typeof step === 'number') {
          if (expected + step < 0) continue;
          const command = { type: 'ChangeProductStock', productId, change: step } as const;
          state = product.decide(command, state).reduce(product.evolve, state);
          expected += step;
        } else {
          const before = history.get(step.orderId) ?? nothing;
          const { outcome, event } = decideStock(step, state, before);
          if (event !== undefined) {
            const isReserved = event.type === 'StockReserved';
            history.set(step.orderId, isReserved ? { ...before, reserved: true } : { ...before, released: true });
            const { quantity } = event.data;
            holds.set(step.orderId, isReserved ? quantity : 0);
            expected += isReserved ? -quantity : quantity;
            state = product.evolve(state, event);
            expect(event.data.stock).toBe(expected);
          }
          // What it is told is what it has.
          expect(holds.get(step.orderId) ?? 0).toBe(outcome === 'reserved' ? step.quantity : 0);
          // Again, it is the same, and nothing happens.
          expect(decideStock(step, state, history.get(step.orderId) ?? nothing)).toEqual({ outcome });
        }
        expect(state).toMatchObject({ stock: expected });
        expect(expected).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});
