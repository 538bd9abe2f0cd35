import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { foldDocument } from './fold-document.js';
import { orders, orderView, partiesOf, type OrderView, type PaymentStatus } from './orders.js';
import {
  assigned,
  cancelled,
  completed,
  confirmed,
  dispatched,
  onDelivery,
  onOrder,
  onPayment,
  pickedUp,
  placed,
  positionAt,
  scheduled,
  type Happening,
} from '../testing/history.js';
import { known } from '../testing/recorded.js';

const at = (minute: number) => ({ at: `2026-03-01T12:${String(minute).padStart(2, '0')}:00.000Z` });

function viewOf(happenings: readonly Happening[]): OrderView | undefined {
  const { sections, revisions } = foldDocument(orders, known(happenings));
  return orderView(sections, revisions);
}

const amount = { orderId: 'o1', amount: 10500, currency: 'EUR' };
const authorised = onPayment('o1', { type: 'PaymentAuthorised', data: amount });
const captured = onPayment('o1', { type: 'PaymentCaptured', data: amount });

const wholeLife = [
  placed('o1', at(0)),
  authorised,
  confirmed('o1', at(1)),
  scheduled('o1', at(2)),
  assigned('o1', 'cleo', at(3)),
  dispatched('o1', at(4)),
  pickedUp('o1', at(5)),
  positionAt('o1', 52.1, at(6).at),
  completed('o1', at(7)),
  onOrder('o1', { type: 'OrderDelivered', data: { orderId: 'o1' } }, at(8)),
  captured,
];

describe('the view of an order', () => {
  test('is what the contract shows, from a whole life', () => {
    expect(viewOf(wholeLife)).toStrictEqual({
      orderId: 'o1',
      customerId: 'ada',
      status: 'delivered',
      lines: [
        {
          productId: 'P-1',
          name: 'Desk-Lamp, brass',
          quantity: 2,
          unitPrice: { amount: 4500, currency: 'EUR' },
        },
        { productId: 'P-2', name: 'Shade', quantity: 1, unitPrice: { amount: 1500, currency: 'EUR' } },
      ],
      total: { amount: 10500, currency: 'EUR' },
      placedAt: '2026-03-01T12:00:00.000Z',
      confirmedAt: '2026-03-01T12:01:00.000Z',
      payment: { status: 'captured' },
      delivery: {
        deliveryId: deliveryIdOf('o1'),
        status: 'delivered',
        courierId: 'cleo',
        pickedUpAt: '2026-03-01T12:05:00.000Z',
        deliveredAt: '2026-03-01T12:07:00.000Z',
      },
      deliveryAddress: 'sealed.1.ada.YWRkcmVzcw',
      revision: 3,
    });
  });

  test('of a fresh order says no more than is known', () => {
    expect(viewOf([placed('o1', at(0))])).toMatchObject({ status: 'placed', revision: 0 });
    expect(Object.keys(viewOf([placed('o1')])!)).not.toEqual(
      expect.arrayContaining([
        expect.stringMatching(/delivery$|confirmedAt|promisedBy|cancellation|rejection|imported/),
      ]),
    );
  });

  test('of imported history has freight and neither names nor merchants', () => {
    const history = { ...at(0), imported: true as const };
    const line = { productId: 'p', merchantId: null, name: null, quantity: 1, unitPrice: 900, freight: 150 };
    const order = {
      orderId: 'o1',
      customerId: 'c',
      lines: [line],
      currency: 'BRL',
      total: 1050,
      deliveryAddress: null,
      paymentToken: null,
      promisedBy: '2026-04-01T00:00:00.000Z',
    };
    const happenings = [
      onOrder('o1', { type: 'OrderPlaced', data: order }, history),
      onPayment('o1', { type: 'PaymentAuthorised', data: { orderId: 'o1', amount: 1050, currency: 'BRL' } }, history),
      onOrder(
        'o1',
        { type: 'OrderCancelled', data: { orderId: 'o1', reason: 'canceled', by: 'unknown', timeEstimated: true } },
        history,
      ),
    ];
    expect(viewOf(happenings)).toMatchObject({
      status: 'cancelled',
      lines: [{ name: null, unitPrice: { amount: 900, currency: 'BRL' }, freight: { amount: 150, currency: 'BRL' } }],
      promisedBy: '2026-04-01T00:00:00.000Z',
      cancellation: { reason: 'canceled', by: 'unknown', at: '2026-03-01T12:00:00.000Z', timeEstimated: true },
      payment: { status: 'authorised' },
      deliveryAddress: null,
      imported: true,
    });
  });

  test('has no total where the lines are unknown', () => {
    const order = {
      orderId: 'o1',
      customerId: 'c',
      lines: [],
      currency: 'BRL',
      total: null,
      deliveryAddress: null,
      paymentToken: null,
      promisedBy: null,
    };
    expect(viewOf([onOrder('o1', { type: 'OrderPlaced', data: order })])).toMatchObject({ lines: [], total: null });
  });

  test('is none before the order was placed, and no list finds it', () => {
    const happenings = [
      onPayment('o1', { type: 'PaymentAuthorised', data: { orderId: 'o1', amount: 1, currency: 'EUR' } }),
    ];
    const { sections, revisions } = foldDocument(orders, known([...happenings, pickedUp('o1')]));
    expect(orderView(sections, revisions)).toBeUndefined();
    expect(orders.fields(sections).single['placedAt']).toBeNull();
    expect(orders.fields(sections).multiple).toEqual({ merchantId: [], merchantStatus: [], word: [] });
    expect(partiesOf(sections)).toEqual({ merchantIds: [] });
  });
});

describe('the status of an order is the strongest of what happened', () => {
  const failed = (next: 'retry' | 'return') => {
    const data = { deliveryId: deliveryIdOf('o1'), orderId: 'o1', reason: 'nobody there', next };
    return onDelivery('o1', { type: 'DeliveryFailed', data }, at(6));
  };
  const rejected = onOrder('o1', {
    type: 'OrderRejected',
    data: { orderId: 'o1', reason: 'unavailable', timeEstimated: false },
  });
  const deliveryFailed = onOrder('o1', {
    type: 'OrderDeliveryFailed',
    data: { orderId: 'o1', reason: 'nobody there' },
  });
  test.each([
    ['placed', [placed('o1')]],
    ['placed', [placed('o1'), scheduled('o1'), assigned('o1')]],
    ['confirmed', [placed('o1'), confirmed('o1')]],
    ['out_for_delivery', [placed('o1'), dispatched('o1')]],
    ['out_for_delivery', [placed('o1'), pickedUp('o1')]],
    ['out_for_delivery', [placed('o1'), pickedUp('o1'), failed('retry')]],
    ['delivery_failed', [placed('o1'), pickedUp('o1'), failed('return')]],
    ['delivery_failed', [placed('o1'), dispatched('o1'), deliveryFailed]],
    ['delivered', [placed('o1'), completed('o1')]],
    ['delivered', [placed('o1'), onOrder('o1', { type: 'OrderDelivered', data: { orderId: 'o1' } })]],
    ['delivered', [placed('o1'), completed('o1'), pickedUp('o1')]],
    ['rejected', [placed('o1'), confirmed('o1'), rejected]],
    ['cancelled', [placed('o1'), cancelled('o1')]],
    ['cancelled', [placed('o1'), completed('o1'), rejected, cancelled('o1')]],
  ])('%s', (status, happenings) => {
    expect(viewOf(happenings)?.status).toBe(status);
    const { sections } = foldDocument(orders, known(happenings));
    expect(orders.fields(sections).single['status']).toBe(status);
  });
});

describe('the payment of an order', () => {
  const declined = onPayment('o1', { type: 'PaymentDeclined', data: { orderId: 'o1', reason: 'insufficient funds' } });
  const voided = onPayment('o1', { type: 'PaymentVoided', data: { orderId: 'o1' } });
  const refunded = onPayment('o1', { type: 'PaymentRefunded', data: amount });

  test.each<[PaymentStatus, string, Happening[]]>([
    ['pending', 'while nothing is known of it', [placed('o1')]],
    ['authorised', '', [placed('o1'), authorised]],
    ['declined', '', [placed('o1'), declined]],
    ['captured', '', [placed('o1'), authorised, captured]],
    ['voided', '', [placed('o1'), authorised, voided]],
    ['refunded', '', [placed('o1'), authorised, captured, refunded]],
    ['voided', 'of what was cancelled', [placed('o1'), authorised, cancelled('o1'), voided]],
    ['none', 'of what was cancelled before anything was known', [placed('o1'), cancelled('o1')]],
    ['none', 'of what was confirmed before there were payments', [placed('o1'), confirmed('o1')]],
    ['none', 'of history', [placed('o1', { imported: true })]],
  ])('is %s %s', (status, _when, happenings) => {
    expect(viewOf(happenings)?.payment).toEqual({ status });
  });

  test.each([0, null])('is none where the total is %s', (total) => {
    const { stream, event } = placed('o1');
    const free = { stream, event: { ...event, data: { ...event.data, total } } };
    expect(viewOf([free])?.payment).toEqual({ status: 'none' });
  });
});

describe('an order as documents hold it', () => {
  test('is found by customer, merchants and words, is counted by day and merchant, and shows nobody’s personal data in them', () => {
    const { sections } = foldDocument(orders, known(wholeLife));
    expect(orders.fields(sections)).toEqual({
      single: {
        customerId: 'ada',
        status: 'delivered',
        placedAt: '2026-03-01T12:00:00.000Z',
      },
      multiple: {
        merchantId: ['m1', 'm2'],
        merchantStatus: ['delivered m1', 'delivered m2'],
        word: ['o1', deliveryIdOf('o1'), 'p-1', 'desk-lamp', 'desk', 'lamp', 'brass', 'p-2', 'shade'],
      },
      shares: ['placed', 'delivered'].flatMap((name) =>
        Object.entries({ '': 10500, m1: 9000, m2: 1500 }).map(([owner, amount]) => ({
          owner,
          day: '2026-03-01',
          unit: 'EUR',
          name,
          amount,
        })),
      ),
    });
    expect(partiesOf(sections)).toEqual({ customerId: 'ada', merchantIds: ['m1', 'm2'], courierId: 'cleo' });
    const early = foldDocument(orders, known([placed('o1'), scheduled('o1'), assigned('o1')]));
    expect(partiesOf(early.sections)).toMatchObject({ courierId: 'cleo', isUnderWay: true });
  });

  test('has every field that its collection declares, and no other', () => {
    const { collection } = orders;
    const declared = Object.keys(collection.fields).sort();
    const sets = [...collection.multiple, ...(collection.searched ?? [])].sort();
    for (const happenings of [[], wholeLife]) {
      const { sections } = foldDocument(orders, known(happenings));
      expect(Object.keys(orders.fields(sections).single).sort()).toEqual(declared);
      expect(Object.keys(orders.fields(sections).multiple).sort()).toEqual(sets);
    }
  });

  test('is the same bytes, however its streams interleave', () => {
    const events = known(wholeLife);
    const streams = [...new Set(events.map((event) => event.stream))].map((stream) =>
      events.filter((event) => event.stream === stream),
    );
    const straight = JSON.stringify(foldDocument(orders, events));
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(streams.length - 1)), (turns) => {
        const left = streams.map((stream) => [...stream]);
        const interleaved = [];
        for (const turn of turns) {
          const event = left[turn]!.shift();
          if (event !== undefined) interleaved.push(event);
          if (interleaved.length === events.length) break;
        }
        expect(JSON.stringify(foldDocument(orders, interleaved))).toBe(straight);
      }),
    );
  });

  test('takes any subset of its history, and is JSON through and through', () => {
    const events = known(wholeLife);
    fc.assert(
      fc.property(fc.subarray([...events]), (subset) => {
        const { sections, revisions } = foldDocument(orders, subset);
        expect(JSON.parse(JSON.stringify(sections))).toStrictEqual(sections);
        const view = orderView(sections, revisions);
        expect(view === undefined).toBe(!subset.some((event) => event.type === 'OrderPlaced'));
      }),
    );
  });
});
