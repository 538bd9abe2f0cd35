import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DeliveryView } from '@waybill/projections/read-models/deliveries.js';
import type { OrderView } from '@waybill/projections/read-models/orders.js';
import { estimatedArrival, usualTime } from './estimated-arrival.js';

const noon = Date.UTC(2026, 2, 1, 12);
const minute = 60_000;
const after = (minutes: number) => new Date(noon + minutes * minute).toISOString();

function delivered(minutes: number, change: Partial<DeliveryView> = {}): DeliveryView {
  return {
    deliveryId: 'd',
    orderId: 'o',
    status: 'delivered',
    courierId: 'cleo',
    address: null,
    pickedUpAt: after(0),
    deliveredAt: after(minutes),
    revision: 3,
    ...change,
  };
}

describe('the usual time', () => {
  test('is the median of those that tell it', () => {
    expect(usualTime([delivered(50), delivered(10), delivered(20)])).toBe(20 * minute);
    const failure = { reason: 'nobody home', at: after(5), next: 'retry' } as const;
    const silent = [delivered(1, { failure }), delivered(2, { failure })];
    expect(usualTime([delivered(50), delivered(10), ...silent, delivered(20)])).toBe(20 * minute);
  });

  test('is not known of a few, nor from imported history', () => {
    const { courierId: _courierId, ...imported } = delivered(7000);
    expect(usualTime([])).toBeUndefined();
    expect(usualTime([delivered(10), delivered(20), imported, imported])).toBeUndefined();
  });
});

const order: OrderView = {
  orderId: 'o',
  customerId: 'ada',
  status: 'out_for_delivery',
  lines: [],
  total: null,
  placedAt: after(-60),
  payment: { status: 'none' },
  delivery: { deliveryId: 'd', status: 'picked_up', courierId: 'cleo', pickedUpAt: after(0) },
  deliveryAddress: null,
  revision: 2,
};
const usual = 20 * minute;

describe('an order is likely to be there', () => {
  test('as long after its pick-up as it usually takes', () => {
    expect(estimatedArrival(order, usual, noon)).toBe(after(20));
    expect(estimatedArrival({ ...order, promisedBy: after(90) }, usual, noon)).toBe(after(20));
  });

  test('by when it was promised, when nothing else is known or that time is past', () => {
    const promised = { ...order, promisedBy: after(90) };
    expect(estimatedArrival(promised, undefined, noon)).toBe(after(90));
    expect(estimatedArrival(promised, usual, noon + usual)).toBe(after(90));
    const { delivery: _delivery, ...placed } = promised;
    expect(estimatedArrival({ ...placed, status: 'placed' }, usual, noon)).toBe(after(90));
    const failure = { reason: 'nobody home', at: after(5), next: 'retry' } as const;
    expect(estimatedArrival({ ...promised, delivery: { ...order.delivery!, failure } }, usual, noon)).toBe(after(90));
  });

  test.each<[string, Partial<OrderView>]>([
    ['it is cancelled', { status: 'cancelled' }],
    ['it was refused', { status: 'rejected' }],
    ['it is there', { status: 'delivered' }],
    ['it goes back', { status: 'delivery_failed' }],
    ['it is imported history', { imported: true }],
  ])('never, where %s', (_why, change) => {
    expect(estimatedArrival({ ...order, promisedBy: after(90), ...change }, usual, noon)).toBeUndefined();
  });

  test('at a time that is to come, or nobody knows when', () => {
    const time = fc.integer({ min: -300, max: 300 });
    const known = fc.record({
      promised: fc.option(time),
      usual: fc.option(fc.nat(300), { nil: undefined }),
      now: time,
    });
    fc.assert(
      fc.property(known, ({ promised, usual, now }) => {
        const promise = promised === null ? {} : { promisedBy: after(promised) };
        const arrival = estimatedArrival({ ...order, ...promise }, usual && usual * minute, noon + now * minute);
        expect(arrival === undefined || Date.parse(arrival) > noon + now * minute).toBe(true);
      }),
    );
  });
});
