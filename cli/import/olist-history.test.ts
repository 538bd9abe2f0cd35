import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { anomaliesOf } from './anomalies.js';
import type { OlistOrder } from './olist-folder.js';
import { historyOf } from './olist-history.js';

const delivered: OlistOrder = {
  orderId: 'o-1',
  customerId: 'anna',
  status: 'delivered',
  purchasedAt: '2017-10-02T10:00:00.000Z',
  approvedAt: '2017-10-02T11:00:00.000Z',
  handedOverAt: '2017-10-04T12:00:00.000Z',
  deliveredAt: '2017-10-10T13:00:00.000Z',
  promisedBy: '2017-10-18T00:00:00.000Z',
  items: [
    { number: 1, productId: 'hat', sellerId: 'shop', price: 990, freight: 1 },
    { number: 2, productId: 'shoe', sellerId: 'shop', price: 5890, freight: 1329 },
  ],
  paid: 8210,
};

function eventsOf(order: OlistOrder, stream: string) {
  return historyOf(order).steps.flatMap((step) => (step.stream === stream ? step.events : []));
}

function typesOf(order: OlistOrder) {
  return historyOf(order).steps.flatMap(({ events }) => events.map(({ type, occurredAt }) => `${type} ${occurredAt}`));
}

describe('a row of the orders becomes history', () => {
  test('of a delivered order: placed, authorised and confirmed, picked up, delivered, at the times of the row', () => {
    expect(typesOf(delivered)).toEqual([
      'OrderPlaced 2017-10-02T10:00:00.000Z',
      'OrderConfirmed 2017-10-02T11:00:00.000Z',
      'PaymentAuthorised 2017-10-02T11:00:00.000Z',
      'DeliveryScheduled 2017-10-04T12:00:00.000Z',
      'DeliveryPickedUp 2017-10-04T12:00:00.000Z',
      'DeliveryCompleted 2017-10-10T13:00:00.000Z',
    ]);
  });

  test('each event is marked as imported, belongs to the order, and has the current version', () => {
    for (const event of historyOf(delivered).steps.flatMap(({ events }) => events)) {
      expect(event).toMatchObject({ imported: true, partitionKey: 'o-1', schemaVersion: expect.any(Number) });
      expect(event).not.toHaveProperty('actor');
    }
  });

  test('one row of the items is one line; the total is prices and freight', () => {
    expect(eventsOf(delivered, 'order-o-1')[0]?.data).toEqual({
      orderId: 'o-1',
      customerId: 'anna',
      lines: [
        { productId: 'hat', merchantId: 'shop', name: null, quantity: 1, unitPrice: 990, freight: 1 },
        { productId: 'shoe', merchantId: 'shop', name: null, quantity: 1, unitPrice: 5890, freight: 1329 },
      ],
      currency: 'BRL',
      total: 8210,
      deliveryAddress: null,
      paymentToken: null,
      promisedBy: '2017-10-18T00:00:00.000Z',
    });
  });

  test('without lines the total is null, without payments the amount is', () => {
    const bare = { ...delivered, items: [], paid: null };
    expect(eventsOf(bare, 'order-o-1')[0]?.data).toMatchObject({ lines: [], total: null });
    expect(eventsOf(bare, 'payment-o-1')[0]?.data).toEqual({ orderId: 'o-1', amount: null, currency: 'BRL' });
  });

  test.each([
    ['canceled', 'OrderCancelled', { reason: 'unknown', by: 'unknown', timeEstimated: true }],
    ['unavailable', 'OrderRejected', { reason: 'unavailable', timeEstimated: true }],
  ] as const)('%s: %s at the latest time the row gives, marked as estimated', (status, type, data) => {
    const order = { ...delivered, status };
    expect(eventsOf(order, 'order-o-1').at(-1)).toMatchObject({ type, occurredAt: order.deliveredAt, data });
    const early = { ...order, approvedAt: null, handedOverAt: null, deliveredAt: null };
    expect(eventsOf(early, 'order-o-1').at(-1)).toMatchObject({ type, occurredAt: order.purchasedAt });
  });

  test('delivered without a hand-over: scheduled and completed on that day', () => {
    const order = { ...delivered, handedOverAt: null };
    expect(eventsOf(order, `delivery-${deliveryIdOf('o-1')}`).map(({ type }) => type)).toEqual([
      'DeliveryScheduled',
      'DeliveryCompleted',
    ]);
  });

  test('the same row gives the same events; a changed row gives others from the change on', () => {
    expect(historyOf({ ...delivered })).toEqual(historyOf(delivered));
    const later = { ...delivered, approvedAt: '2017-10-02T12:00:00.000Z' };
    const ids = (order: OlistOrder) => eventsOf(order, 'order-o-1').map(({ id }) => id);
    expect(ids(later)[0]).toBe(ids(delivered)[0]);
    expect(ids(later)[1]).not.toBe(ids(delivered)[1]);
  });

  const time = fc
    .integer({ min: 0, max: 40 })
    .map((hours) => new Date(Date.UTC(2017, 9, 1) + hours * 3_600_000).toISOString());
  const anyOrder: fc.Arbitrary<OlistOrder> = fc.record({
    orderId: fc.constant('o-1'),
    customerId: fc.constant('anna'),
    status: fc.constantFrom('created', 'approved', 'shipped', 'delivered', 'unavailable', 'canceled'),
    purchasedAt: time,
    approvedAt: fc.option(time),
    handedOverAt: fc.option(time),
    deliveredAt: fc.option(time),
    promisedBy: fc.option(time),
    items: fc.constant([]),
    paid: fc.constant(null),
  });

  test('whatever the times are: begins with OrderPlaced, steps rise, each stream expects what came before it', () => {
    fc.assert(
      fc.property(anyOrder, (order) => {
        const { steps } = historyOf(order);
        expect(steps[0]?.events[0]?.type).toBe('OrderPlaced');
        const revisions = new Map<string, number>();
        let at = '';
        for (const step of steps) {
          expect(step.at >= at).toBe(true);
          at = step.at;
          expect(step.expectedRevision).toBe(revisions.get(step.stream) ?? -1);
          revisions.set(step.stream, step.expectedRevision + step.events.length);
        }
        const ids = steps.flatMap(({ events }) => events.map(({ id }) => id));
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });
});

describe('anomalies of a row', () => {
  const kinds = (order: Partial<OlistOrder>) => anomaliesOf({ ...delivered, ...order }).map(({ kind }) => kind);

  test.each([
    ['nothing', {}, []],
    ['approved-before-purchase', { approvedAt: '2017-10-02T09:00:00.000Z' }],
    ['handed-over-before-approval', { handedOverAt: '2017-10-02T10:30:00.000Z' }],
    ['delivered-before-hand-over', { deliveredAt: '2017-10-03T00:00:00.000Z' }],
    ['delivered-without-date', { deliveredAt: null }],
    ['delivered-without-hand-over', { handedOverAt: null }],
    ['shipped-without-date', { status: 'shipped', handedOverAt: null, deliveredAt: null }],
    ['cancelled-although-delivered', { status: 'canceled' }],
    ['unavailable-although-delivered', { status: 'unavailable' }],
  ] as const)('%s', (kind: string, order: Partial<OlistOrder>, expected: readonly string[] = [kind]) => {
    expect(kinds(order)).toEqual(expected);
  });

  test('one row may have several', () => {
    expect(kinds({ handedOverAt: '2017-10-02T09:00:00.000Z', deliveredAt: '2017-10-02T10:30:00.000Z' })).toEqual([
      'handed-over-before-approval',
      'handed-over-before-purchase',
      'delivered-before-approval',
    ]);
  });
});
