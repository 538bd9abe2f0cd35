import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FulfilmentEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { dueCommands, fulfilment, orderConcerned, react, type FulfilmentState } from './fulfilment.js';

const orderId = 'o1';
const deliveryId = deliveryIdOf(orderId);
const of = { orderId, deliveryId };

const started: FulfilmentEvent = { type: 'FulfilmentStarted', data: { orderId, customerId: 'c1' } };
const requested: FulfilmentEvent = { type: 'FulfilmentDeliveryRequested', data: of };
const cancelled: FulfilmentEvent = { type: 'FulfilmentCancelled', data: { orderId } };
const completed: FulfilmentEvent = { type: 'FulfilmentCompleted', data: { orderId, outcome: 'delivered' } };
const failed: FulfilmentEvent = { type: 'FulfilmentCompleted', data: { orderId, outcome: 'failed' } };

function recorded(type: KnownEvent['type'], data: object, imported?: true): KnownEvent {
  const id = '8c1e3a52-0000-4000-8000-000000000000';
  const envelope = { id, schemaVersion: 1, partitionKey: orderId, correlationId: id, causationId: id };
  const times = { occurredAt: '2026-01-01T10:00:00.000Z', recordedAt: '2026-01-01T10:00:00.000Z' };
  const place = { stream: `order-${orderId}`, revision: 0, position: 1 };
  const event = { ...envelope, ...times, ...place, type, data, ...(imported === true ? { imported } : {}) };
  return event as KnownEvent;
}

const orderPlaced = recorded('OrderPlaced', { orderId, customerId: 'c1', lines: [], currency: 'KRW', total: 0 });
const orderConfirmed = recorded('OrderConfirmed', { orderId });
const orderRejected = recorded('OrderRejected', { orderId, reason: 'no', timeEstimated: false });
const orderCancelled = recorded('OrderCancelled', { orderId, reason: 'no', by: 'customer', timeEstimated: false });
const orderDispatched = recorded('OrderDispatched', { ...of, courierId: 'k1' });
const deliveryScheduled = recorded('DeliveryScheduled', { ...of, customerId: 'c1', address: null, promisedBy: null });
const deliveryCompleted = recorded('DeliveryCompleted', { ...of, proof: null });
const deliveryRetried = recorded('DeliveryFailed', { ...of, reason: 'nobody home', next: 'retry' });
const deliveryFailed = recorded('DeliveryFailed', { ...of, reason: 'refused', next: 'return' });

const confirm = { type: 'ConfirmOrder', orderId };
const schedule = { type: 'ScheduleDelivery', ...of };
const cancel = { type: 'CancelDelivery', ...of };

function fold(...history: readonly FulfilmentEvent[]): FulfilmentState {
  return history.reduce(fulfilment.evolve, fulfilment.initialState);
}

test.each<[string, readonly FulfilmentEvent[], KnownEvent, readonly FulfilmentEvent[], readonly object[]]>([
  ['a placed order is to be confirmed', [], orderPlaced, [started], [confirm]],
  ['a confirmed one is to be delivered', [started], orderConfirmed, [requested], [schedule]],
  ['a scheduled delivery is what was wanted', [started, requested], deliveryScheduled, [], []],
  [
    'a dispatched order is picked up',
    [started, requested],
    orderDispatched,
    [],
    [{ type: 'RecordPickUp', ...of, courierId: 'k1' }],
  ],
  [
    'a completed delivery delivers it',
    [started, requested],
    deliveryCompleted,
    [completed],
    [{ type: 'RecordDelivery', orderId }],
  ],
  ['a failed attempt is tried again', [started, requested], deliveryRetried, [], []],
  [
    'a failed delivery fails it',
    [started, requested],
    deliveryFailed,
    [failed],
    [{ type: 'RecordDeliveryFailure', orderId, reason: 'refused' }],
  ],
  ['cancelled before it is confirmed there is nothing to undo', [started], orderCancelled, [cancelled], []],
  ['rejected likewise', [started], orderRejected, [cancelled], []],
  ['cancelled afterwards the delivery is', [started, requested], orderCancelled, [cancelled], [cancel]],
  ['also one that is scheduled only now', [started, requested, cancelled], deliveryScheduled, [], [cancel]],
  ['a late confirmation revives nothing', [started, cancelled], orderConfirmed, [], []],
  [
    'an attempt that failed before the delivery was completed is past',
    [started, requested, completed],
    deliveryRetried,
    [],
    [],
  ],
  [
    'a delivery that was completed before it died is recorded',
    [started, requested, completed],
    deliveryCompleted,
    [],
    [{ type: 'RecordDelivery', orderId }],
  ],
  ['what it never heard of is not its business', [], orderCancelled, [], []],
])('%s', (_, history, event, facts, commands) => {
  const state = fold(...history);
  expect(react(state, event)).toEqual(facts);
  expect(dueCommands(fold(...history, ...facts), event)).toEqual(commands);
});

test('imported history and what concerns others pass it by', () => {
  expect(orderConcerned(orderPlaced)).toBe(orderId);
  expect(orderConcerned(recorded('OrderPlaced', orderPlaced.data, true))).toBeUndefined();
  expect(orderConcerned(recorded('DeliveryPickedUp', { ...of, courierId: 'k1' }))).toBeUndefined();
  expect(orderConcerned(recorded('ProductWithdrawn', { productId: 'p1' }))).toBeUndefined();
});

describe('any fulfilment', () => {
  const anyEvent = fc.constantFrom(
    ...[orderPlaced, orderConfirmed, orderRejected, orderCancelled, orderDispatched],
    ...[deliveryScheduled, deliveryCompleted, deliveryRetried, deliveryFailed],
  );
  const anyFact = fc.constantFrom(started, requested, cancelled, completed, failed);

  test('is told a thing twice and notes it once, and asks for the same both times', () => {
    fc.assert(
      fc.property(fc.array(anyFact), anyEvent, (history, event) => {
        const before = fold(...history);
        const after = react(before, event).reduce(fulfilment.evolve, before);
        expect(react(after, event)).toEqual([]);
        expect(dueCommands(after, event)).toEqual(
          dueCommands(react(after, event).reduce(fulfilment.evolve, after), event),
        );
      }),
    );
  });

  test('ends once', () => {
    fc.assert(
      fc.property(fc.array(anyFact), (history) => {
        let state = fulfilment.initialState;
        for (const fact of history) {
          const next = fulfilment.evolve(state, fact);
          if (state.status === 'cancelled' || state.status === 'completed') expect(next).toBe(state);
          state = next;
        }
      }),
    );
  });
});
