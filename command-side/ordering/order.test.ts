import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IdTaken, NotFound, RuleViolated, WaybillError } from '@waybill/shared-kernel/errors.js';
import type { OrderPlaced } from '@waybill/shared-kernel/events/order.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { given } from '../testing/given.js';
import { order, type OrderCommand, type OrderHistory, type OrderState } from './order.js';

const orderId = 'o1';
const line = { productId: 'p1', merchantId: 'm1', name: 'Tea', quantity: 2, unitPrice: 500, freight: null };
const facts: OrderPlaced = {
  orderId,
  customerId: 'c1',
  lines: [line, { ...line, productId: 'p2' }, { ...line, productId: 'p3', merchantId: 'm2' }],
  currency: 'KRW',
  total: 3000,
  deliveryAddress: 'sealed.1.c1.AAAA',
  paymentToken: 'tok_approve',
  promisedBy: null,
};
const placed: OrderHistory = { type: 'OrderPlaced', data: facts };
const confirmed: OrderHistory = { type: 'OrderConfirmed', data: { orderId } };
const rejected: OrderHistory = { type: 'OrderRejected', data: { orderId, reason: 'no stock', timeEstimated: false } };
const cancelled: OrderHistory = {
  type: 'OrderCancelled',
  data: { orderId, reason: 'changed my mind', by: 'customer', timeEstimated: false },
};
const dispatched: OrderHistory = {
  type: 'OrderDispatched',
  data: { orderId, deliveryId: deliveryIdOf(orderId), courierId: 'k1' },
};
const delivered: OrderHistory = { type: 'OrderDelivered', data: { orderId } };
const failed: OrderHistory = { type: 'OrderDeliveryFailed', data: { orderId, reason: 'nobody home' } };

const place: OrderCommand = { type: 'PlaceOrder', order: facts };
const confirm: OrderCommand = { type: 'ConfirmOrder', orderId };
const reject: OrderCommand = { type: 'RejectOrder', orderId, reason: 'no stock' };
const cancel: OrderCommand = { type: 'CancelOrder', orderId, reason: 'changed my mind', by: 'customer' };
const dispatch: OrderCommand = { type: 'DispatchOrder', orderId, courierId: 'k1' };
const recordDelivery: OrderCommand = { type: 'RecordDelivery', orderId };
const recordFailure: OrderCommand = { type: 'RecordDeliveryFailure', orderId, reason: 'nobody home' };
const commands = [confirm, reject, cancel, dispatch, recordDelivery, recordFailure];

describe('an order', () => {
  test('is placed once', () => {
    given(order, []).when(place).then(placed);
    given(order, [placed]).when(place).refused(IdTaken, { id: orderId });
  });

  test('knows whose it is', () => {
    expect(given(order, [placed]).state).toMatchObject({ customerId: 'c1', merchantIds: ['m1', 'm2'] });
  });

  test('is confirmed', () => {
    given(order, [placed]).when(confirm).then(confirmed).butNotAgain();
    given(order, [placed, cancelled]).when(confirm).refused(RuleViolated, { rule: 'order-cancelled' });
    given(order, [placed, rejected]).when(confirm).refused(RuleViolated, { rule: 'order-rejected' });
    given(order, [placed, confirmed, dispatched]).when(confirm).then();
  });

  test('is rejected', () => {
    given(order, [placed]).when(reject).then(rejected).butNotAgain();
    given(order, [placed, confirmed]).when(reject).refused(RuleViolated, { rule: 'order-decided' });
  });

  test.each([
    ['placed', [placed]],
    ['confirmed', [placed, confirmed]],
  ])('is cancelled while %s', (_, history) => {
    given(order, history).when(cancel).then(cancelled).butNotAgain();
  });

  test.each([
    ['order-dispatched', [placed, confirmed, dispatched]],
    ['order-dispatched', [placed, confirmed, dispatched, delivered]],
    ['order-dispatched', [placed, confirmed, dispatched, failed]],
    ['order-rejected', [placed, rejected]],
  ])('is not cancelled: %s', (rule, history) => {
    given(order, history).when(cancel).refused(RuleViolated, { rule });
  });

  test('leaves with one courier, if it was not cancelled first', () => {
    given(order, [placed, confirmed]).when(dispatch).then(dispatched).butNotAgain();
    const other: OrderCommand = { type: 'DispatchOrder', orderId, courierId: 'k2' };
    given(order, [placed, confirmed, dispatched]).when(other).refused(RuleViolated, { rule: 'order-dispatched' });
    given(order, [placed]).when(dispatch).refused(RuleViolated, { rule: 'order-not-confirmed' });
    given(order, [placed, confirmed, cancelled]).when(dispatch).refused(RuleViolated, { rule: 'order-cancelled' });
    given(order, [placed, confirmed, dispatched, failed])
      .when(dispatch)
      .refused(RuleViolated, { rule: 'order-delivery-failed' });
  });

  test('ends delivered', () => {
    given(order, [placed, confirmed, dispatched]).when(recordDelivery).then(delivered).butNotAgain();
    given(order, [placed, confirmed]).when(recordDelivery).refused(RuleViolated, { rule: 'order-not-dispatched' });
  });

  test('or ends undelivered', () => {
    given(order, [placed, confirmed, dispatched]).when(recordFailure).then(failed).butNotAgain();
    given(order, [placed, cancelled]).when(recordFailure).refused(RuleViolated, { rule: 'order-not-dispatched' });
  });

  test.each(commands.map((command) => [command.type, command] as const))(
    'takes no %s before it is placed',
    (_, command) => given(order, []).when(command).refused(NotFound, { what: 'order', id: orderId }),
  );

  test.each(commands.map((command) => [command.type, command] as const))(
    'takes no %s as imported history',
    (_, command) =>
      given(order, [{ ...placed, imported: true }])
        .when(command)
        .refused(RuleViolated, { rule: 'imported-history' }),
  );
});

describe('any order', () => {
  const anyEvent = fc.constantFrom(placed, confirmed, rejected, cancelled, dispatched, delivered, failed);
  const anyCommand = fc.constantFrom(place, ...commands);
  const final = ['rejected', 'cancelled', 'delivered', 'delivery_failed'];
  const fold = (history: readonly OrderHistory[]): OrderState => history.reduce(order.evolve, order.initialState);

  test('folds whatever happened in whatever order, and never leaves a final status', () => {
    fc.assert(
      fc.property(fc.array(anyEvent), (history) => {
        let state = order.initialState;
        for (const event of history) {
          const next = order.evolve(state, event);
          if (final.includes(state.status)) expect(next).toBe(state);
          if (state.status !== 'none') expect(next.status).not.toBe('none');
          state = next;
        }
      }),
    );
  });

  test('decides a command that comes twice once, and refuses with data', () => {
    fc.assert(
      fc.property(fc.array(anyEvent), anyCommand, (history, command) => {
        try {
          const events = order.decide(command, fold(history));
          if (command.type !== 'PlaceOrder') expect(order.decide(command, fold([...history, ...events]))).toEqual([]);
        } catch (error) {
          expect(error).toBeInstanceOf(WaybillError);
        }
      }),
    );
  });

  test('is never both cancelled and dispatched', () => {
    fc.assert(
      fc.property(fc.array(anyCommand), (asked) => {
        const history: OrderHistory[] = [];
        for (const command of asked) {
          try {
            history.push(...order.decide(command, fold(history)));
          } catch {
            // refused
          }
        }
        const types = new Set(history.map((event) => event.type));
        expect(types.has('OrderCancelled') && types.has('OrderDispatched')).toBe(false);
      }),
    );
  });
});
