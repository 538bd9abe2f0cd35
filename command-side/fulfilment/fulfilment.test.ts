import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FulfilmentEvent, PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { dueCommands } from './due-commands.js';
import { fulfilment, orderConcerned, react, type Notice, type ManagerInput } from './fulfilment.js';
import { deadlineOf, owesMoney, type FulfilmentState } from './fulfilment-state.js';

const orderId = 'o1';
const deliveryId = deliveryIdOf(orderId);
const of = { orderId, deliveryId };
const items = [{ productId: 'p1', quantity: 3 }];

/** A moment at which all is told that was recorded up to then. */
function levelAt(moment: string): Omit<Notice, 'input'> {
  return { now: Date.parse(moment), recordedUpTo: Date.parse(moment), isProven: true };
}

const atFirst = levelAt('2026-01-01T10:00:00.000Z');

type Type = FulfilmentEvent['type'];
type DataOf<Of extends Type> = Extract<FulfilmentEvent, { type: Of }>['data'];
/** A fact about this fulfilment. */
function fact<Of extends Type>(type: Of, data: Omit<DataOf<Of>, 'orderId'>): FulfilmentEvent {
  return { type, data: { orderId, ...data } } as FulfilmentEvent;
}

const started = fact('FulfilmentStarted', { customerId: 'c1', items, amount: 15, currency: 'KRW' });
const free = fact('FulfilmentStarted', { customerId: 'c1', items, amount: null, currency: null });
const reserved = fact('FulfilmentStockReserved', { items });
const refused = fact('FulfilmentStockRefused', { productId: 'p1' });
const released = fact('FulfilmentStockReleased', {});
const settled = (status: DataOf<'FulfilmentPaymentSettled'>['status']) => fact('FulfilmentPaymentSettled', { status });
const asked = (step: PaymentStep, attempt = 1, retryAt = '2026-01-01T10:00:20.000Z') =>
  fact('FulfilmentPaymentRequested', {
    step,
    attempt,
    retryAt,
    until: step === 'authorise' ? '2026-01-01T10:15:00.000Z' : null,
  });
const scheduled = fact('FulfilmentDeliveryRequested', { deliveryId, dueAt: '2026-01-02T10:00:00.000Z' });
const dispatched = fact('FulfilmentDispatched', { dueAt: '2026-01-03T10:00:00.000Z' });
const cancelled = fact('FulfilmentCancelled', {});
const failed = fact('FulfilmentFailed', { dueAt: '2026-01-08T10:00:00.000Z' });
const completed = fact('FulfilmentCompleted', { outcome: 'delivered' });
const compensate = fact('FulfilmentCompensationRequested', { reason: 'the parcel was empty' });
const retry = fact('FulfilmentRetryRequested', { reason: 'the gateway is back' });
const missed = (deadline: DataOf<'FulfilmentDeadlineMissed'>['deadline'], dueAt: string, again: string | null) =>
  fact('FulfilmentDeadlineMissed', { deadline, dueAt, again });

const authorising = [started, reserved, asked('authorise')];
const confirming = [...authorising, settled('authorised')];
const delivering = [...confirming, scheduled];
const underWay = [...delivering, dispatched];
const delivered = [...underWay, asked('capture'), settled('captured'), completed];

const line = { productId: 'p1', merchantId: 'm1', name: 'Tea', unitPrice: 5, freight: null };
const order = { orderId, customerId: 'c1', currency: 'KRW', promisedBy: null, deliveryAddress: null };
const lines = [
  { ...line, quantity: 1 },
  { ...line, quantity: 2 },
];
const orderPlaced: ManagerInput = {
  type: 'OrderPlaced',
  data: { ...order, lines, total: 15, paymentToken: 'tok_approve' },
};
const orderConfirmed: ManagerInput = { type: 'OrderConfirmed', data: { orderId } };
const orderRejected: ManagerInput = { type: 'OrderRejected', data: { orderId, reason: 'no', timeEstimated: false } };
const orderCancelled: ManagerInput = {
  type: 'OrderCancelled',
  data: { orderId, reason: 'no', by: 'customer', timeEstimated: false },
};
const orderDispatched: ManagerInput = { type: 'OrderDispatched', data: { ...of, courierId: 'k1' } };
const amount = { orderId, amount: 15, currency: 'KRW' };
const authorised: ManagerInput = { type: 'PaymentAuthorised', data: amount };
const declined: ManagerInput = { type: 'PaymentDeclined', data: { orderId, reason: 'no' } };
const captured: ManagerInput = { type: 'PaymentCaptured', data: amount };
const voided: ManagerInput = { type: 'PaymentVoided', data: { orderId } };
const refunded: ManagerInput = { type: 'PaymentRefunded', data: amount };
const deliveryScheduled: ManagerInput = {
  type: 'DeliveryScheduled',
  data: { ...of, customerId: 'c1', address: null, promisedBy: null },
};
const deliveryCompleted: ManagerInput = { type: 'DeliveryCompleted', data: { ...of, proof: null } };
const deliveryRetried: ManagerInput = { type: 'DeliveryFailed', data: { ...of, reason: 'nobody home', next: 'retry' } };
const deliveryFailed: ManagerInput = { type: 'DeliveryFailed', data: { ...of, reason: 'refused', next: 'return' } };
const deliveryReturned: ManagerInput = { type: 'DeliveryReturned', data: of };
const stockReserved: ManagerInput = { type: 'StockWasReserved', data: { items } };
const nothingCounted: ManagerInput = { type: 'StockWasReserved', data: { items: [] } };
const stockRefused: ManagerInput = { type: 'StockWasRefused', data: { productId: 'p1' } };
const stockReleased: ManagerInput = { type: 'StockWasReleased', data: {} };
const timePassed: ManagerInput = { type: 'TimePassed', data: {} };

const reserve = { type: 'ReserveStock', orderId, items };
const release = { type: 'ReleaseStock', orderId, items, isCertain: true };
const pay = (step: PaymentStep) => ({ type: 'RequestPayment', orderId, step, amount: 15, currency: 'KRW' });
const confirm = { type: 'ConfirmOrder', orderId };
const schedule = { type: 'ScheduleDelivery', ...of };
const cancelDelivery = { type: 'CancelDelivery', ...of };
const reject = (reason: string) => ({ type: 'RejectOrder', orderId, reason });
const recordFailure = { type: 'RecordDeliveryFailure', orderId, reason: 'refused' };
const outOfStock = 'There is not enough of product p1 in stock.';

function fold(...history: readonly FulfilmentEvent[]): FulfilmentState {
  return history.reduce(fulfilment.evolve, fulfilment.initialState);
}

type Row = [string, readonly FulfilmentEvent[], ManagerInput, readonly FulfilmentEvent[], readonly object[]];

const theWay: Row[] = [
  ['a placed order wants its stock, each product once', [], orderPlaced, [started], [reserve]],
  ['what is set aside is paid', [started], stockReserved, [reserved, asked('authorise')], [pay('authorise')]],
  ['what nobody counts is paid at once', [started], nothingCounted, [asked('authorise')], [pay('authorise')]],
  ['what costs nothing is confirmed', [free], stockReserved, [reserved], [confirm]],
  ['what is paid is confirmed', authorising, authorised, [settled('authorised')], [confirm]],
  ['a confirmed one is to be delivered', confirming, orderConfirmed, [scheduled], [schedule]],
  ['a scheduled delivery is what was wanted', delivering, deliveryScheduled, [], []],
  [
    'a dispatched order is picked up',
    delivering,
    orderDispatched,
    [dispatched],
    [{ type: 'RecordPickUp', ...of, courierId: 'k1' }],
  ],
  [
    'a completed delivery delivers it, and the money is taken',
    underWay,
    deliveryCompleted,
    [asked('capture')],
    [pay('capture'), { type: 'RecordDelivery', orderId }],
  ],
  ['taken money completes it', [...underWay, asked('capture')], captured, [settled('captured'), completed], []],
  [
    'money that was taken before is not asked for',
    [...underWay, settled('captured')],
    deliveryCompleted,
    [completed],
    [{ type: 'RecordDelivery', orderId }],
  ],
];

const undone: Row[] = [
  ['too little stock rejects it', [started], stockRefused, [refused], [reject(outOfStock)]],
  [
    'after which what else was set aside is let go',
    [started, refused],
    orderRejected,
    [cancelled],
    [{ ...release, isCertain: false }],
  ],
  ['and that is all', [started, refused, cancelled], stockReleased, [released], []],
  [
    'a declined payment rejects it',
    authorising,
    declined,
    [settled('declined')],
    [reject('The payment was declined.')],
  ],
  [
    'after which the stock is let go, and nothing paid back',
    [...authorising, settled('declined')],
    orderRejected,
    [cancelled],
    [release],
  ],
  [
    'cancelled while it is being paid it is paid back, paid or not',
    authorising,
    orderCancelled,
    [cancelled, asked('release')],
    [release, pay('release')],
  ],
  [
    'a payment that comes through then is paid back all the same',
    [...authorising, cancelled, released, asked('release')],
    authorised,
    [],
    [pay('release')],
  ],
  [
    'and it is over when it is',
    [...authorising, cancelled, released, asked('release')],
    voided,
    [settled('voided')],
    [],
  ],
  [
    'cancelled before pick-up everything is undone',
    delivering,
    orderCancelled,
    [cancelled, asked('release')],
    [release, pay('release'), cancelDelivery],
  ],
  [
    'also a delivery that is scheduled only now',
    [...delivering, cancelled, released, asked('release'), settled('voided')],
    deliveryScheduled,
    [],
    [cancelDelivery],
  ],
  ['a late confirmation revives nothing', [...authorising, cancelled], orderConfirmed, [], [release]],
  ['a failed attempt is tried again', underWay, deliveryRetried, [], []],
  [
    'a failed delivery is paid back, and waits for its return',
    underWay,
    deliveryFailed,
    [failed, asked('release')],
    [pay('release'), recordFailure],
  ],
  [
    'what comes back is for others again',
    [...underWay, failed, asked('release'), settled('voided')],
    deliveryReturned,
    [],
    [release],
  ],
  [
    'a payment that is taken back before pick-up cancels it, through the order',
    delivering,
    voided,
    [settled('voided')],
    [{ type: 'CancelOrder', orderId, reason: 'It is no longer paid for.', by: 'system' }],
  ],
  [
    'money that is taken although it was given back is given back again',
    [...delivering, cancelled, released, asked('release'), settled('voided')],
    captured,
    [settled('captured'), asked('release')],
    [pay('release')],
  ],
  [
    'and then it is over',
    [...delivering, cancelled, released, asked('release'), settled('voided'), settled('captured'), asked('release')],
    refunded,
    [settled('refunded')],
    [],
  ],
  ['what the payment had said before says nothing new', [...delivering, settled('captured')], authorised, [], []],
  [
    'after which there is nothing to pay back',
    [...delivering, settled('voided')],
    orderCancelled,
    [cancelled],
    [release, cancelDelivery],
  ],
  ['what it never heard of is not its business', [], orderCancelled, [], []],
];

const byHandAndTime: Row[] = [
  ['nothing is late before its time', authorising, timePassed, [], [pay('authorise')]],
  [
    'a payment nobody answered is asked for again, later each time',
    [started, reserved, asked('authorise', 1, '2026-01-01T10:00:00.000Z')],
    timePassed,
    [asked('authorise', 2, '2026-01-01T10:00:40.000Z')],
    [pay('authorise')],
  ],
  [
    'a courier that does not come cancels it',
    [...confirming, fact('FulfilmentDeliveryRequested', { deliveryId, dueAt: '2026-01-01T09:59:59.000Z' })],
    timePassed,
    [missed('courier', '2026-01-01T09:59:59.000Z', '2026-01-01T11:00:00.000Z')],
    [],
  ],
  [
    'by asking the order, which may know better',
    delivering,
    missed('courier', '2026-01-02T10:00:00.000Z', '2026-01-02T11:00:00.000Z'),
    [],
    [{ type: 'CancelOrder', orderId, reason: 'No courier picked it up in time.', by: 'system' }],
  ],
  [
    'a delivery that is overdue is said to be, and awaited',
    [...delivering, fact('FulfilmentDispatched', { dueAt: '2026-01-01T10:00:00.000Z' })],
    timePassed,
    [missed('delivery', '2026-01-01T10:00:00.000Z', '2026-01-02T10:00:00.000Z')],
    [],
  ],
  [
    'an operator has a payment asked for now',
    [...authorising, retry],
    retry,
    [asked('authorise', 2, '2026-01-01T10:00:40.000Z')],
    [pay('authorise')],
  ],
  [
    'for once, though it is told again later',
    [...authorising, retry, asked('authorise', 2, '2026-01-01T10:00:40.000Z')],
    retry,
    [],
    [pay('authorise')],
  ],
  ['or a delivery scheduled', delivering, retry, [], [schedule]],
  [
    'an operator has it undone',
    confirming,
    compensate,
    [],
    [confirm, { type: 'CancelOrder', orderId, reason: 'the parcel was empty', by: 'operator' }],
  ],
  [
    'even when all is over: what was paid is paid back',
    [...delivered, compensate],
    compensate,
    [asked('release')],
    [pay('release')],
  ],
  ['and it is over again', [...delivered, compensate, asked('release')], refunded, [settled('refunded')], []],
];

test.each([...theWay, ...undone, ...byHandAndTime])('%s', (_, history, input, facts, commands) => {
  const state = fold(...history);
  expect(react({ input, ...atFirst }, state)).toEqual(facts);
  expect(dueCommands(fold(...history, ...facts), input)).toEqual(commands);
});

test('a payment is asked for again no later than when it is given up', () => {
  const state = fold(started, reserved, asked('authorise', 9, '2026-01-01T10:14:00.000Z'));
  const input = { input: timePassed, ...levelAt('2026-01-01T10:14:00.000Z') };
  expect(react(input, state)).toEqual([asked('authorise', 10, '2026-01-01T10:15:00.000Z')]);
});

test.each([
  [
    'in time when it was recorded as its time ended, however late that is told',
    '2026-01-01T17:00:00.000Z',
    '2026-01-01T10:15:00.000Z',
  ],
  ['in time by our clock, where the clock of the log is ahead', '2026-01-01T10:00:30.000Z', '2026-01-01T10:16:00.000Z'],
])('a payment is authorised %s', (_, clock, recorded) => {
  const times = { now: Date.parse(clock), recordedUpTo: Date.parse(recorded) };
  const notice = { input: authorised, ...times, isProven: true };
  expect(react(notice, fold(...authorising))).toEqual([settled('authorised')]);
});

test('a payment is authorised in time while nobody knows whether the clocks have just jumped ahead', () => {
  const notice = { input: authorised, ...levelAt('2026-01-01T10:16:00.000Z'), isProven: false };
  expect(react(notice, fold(...authorising))).toEqual([settled('authorised')]);
});

test('a payment that is authorised when its time is over is given back with the order', () => {
  const notice = { input: authorised, ...levelAt('2026-01-01T10:15:00.001Z') };
  const facts = react(notice, fold(...authorising));
  expect(facts).toEqual([missed('payment', '2026-01-01T10:15:00.000Z', null), settled('authorised')]);
  const state = fold(...authorising, ...facts);
  expect(dueCommands(state, authorised)).toEqual([reject('The payment was not answered in time.')]);
  expect(react(notice, state)).toEqual([]);
  expect(react({ ...notice, input: orderRejected }, state)).toMatchObject([
    cancelled,
    { type: 'FulfilmentPaymentRequested', data: { step: 'release' } },
  ]);
});

test('a deadline is judged by the lesser of the clock and what was told, and others are waited for from the greater', () => {
  const state = fold(...delivering);
  const [before, after] = [levelAt('2026-01-02T09:00:00.000Z'), levelAt('2026-01-02T11:00:00.000Z')];
  const logIsAhead = { ...before, recordedUpTo: after.recordedUpTo };
  const logIsBehind = { ...after, recordedUpTo: before.recordedUpTo };
  expect(react({ input: timePassed, ...logIsAhead }, state)).toEqual([]);
  expect(react({ input: timePassed, ...logIsBehind }, state)).toEqual([]);
  expect(react({ input: timePassed, ...after }, state)).toEqual([
    missed('courier', '2026-01-02T10:00:00.000Z', '2026-01-02T12:00:00.000Z'),
  ]);
  const asks = (input: ManagerInput, ...history: readonly FulfilmentEvent[]) =>
    [logIsAhead, logIsBehind].map((when) => react({ input, ...when }, fold(...history)).at(-1)?.data);
  const dueAt = '2026-01-03T11:00:00.000Z';
  expect(asks(orderConfirmed, ...confirming)).toEqual([
    { orderId, deliveryId, dueAt },
    { orderId, deliveryId, dueAt },
  ]);
});

test('a payment is given up when its time is over', () => {
  const late = levelAt('2026-01-01T10:15:00.000Z');
  const state = fold(...authorising);
  const facts = react({ input: timePassed, ...late }, state);
  expect(facts).toEqual([missed('payment', '2026-01-01T10:15:00.000Z', null)]);
  expect(dueCommands(fold(...authorising, ...facts), facts[0]!)).toEqual([
    reject('The payment was not answered in time.'),
  ]);
});

test.each<[string, readonly FulfilmentEvent[], FulfilmentState['status'], string | undefined]>([
  ['payment', authorising, 'authorising', '2026-01-01T10:00:20.000Z'],
  ['courier', delivering, 'delivering', '2026-01-02T10:00:00.000Z'],
  ['delivery', underWay, 'delivering', '2026-01-03T10:00:00.000Z'],
  ['return', [...underWay, failed, asked('release'), settled('voided')], 'compensating', '2026-01-08T10:00:00.000Z'],
])('waits for a %s until a time', (name, history, status, dueAt) => {
  const state = fold(...history);
  expect(state.status).toBe(status);
  expect(deadlineOf(state)).toEqual({ name, dueAt });
});

test.each<[string, readonly FulfilmentEvent[]]>([
  ['delivered', delivered],
  ['rejected', [...authorising, settled('declined'), cancelled, released]],
  ['cancelled before anything', [free, cancelled, released]],
  ['brought back', [...underWay, failed, asked('release'), settled('voided'), released]],
  ['paid back', [...delivered, compensate, asked('release'), settled('refunded')]],
])('%s it is over and waits for nothing', (_, history) => {
  expect(fold(...history).status).toBe('completed');
  expect(deadlineOf(fold(...history))).toBeUndefined();
});

test('a fulfilment of before there were stock and payment goes on', () => {
  const old = [
    fact('FulfilmentStarted', { customerId: 'c1', items: [], amount: null, currency: null }),
    fact('FulfilmentDeliveryRequested', { deliveryId, dueAt: null }),
  ];
  expect(react({ input: orderConfirmed, ...atFirst }, fold(old[0]!))).toEqual([scheduled]);
  expect(react({ input: deliveryCompleted, ...atFirst }, fold(...old))).toEqual([completed]);
  expect(fold(...old, cancelled)).toMatchObject({ status: 'completed', outcome: 'cancelled' });
  expect(fold(...old, fact('FulfilmentCompleted', { outcome: 'failed' }))).toMatchObject({ outcome: 'failed' });
});

test('imported history and what concerns others pass it by', () => {
  const occurrence = { type: 'OrderPlaced', partitionKey: orderId };
  expect(orderConcerned(occurrence)).toBe(orderId);
  expect(orderConcerned({ ...occurrence, imported: true })).toBeUndefined();
  expect(orderConcerned({ ...occurrence, type: 'DeliveryPickedUp' })).toBeUndefined();
  expect(orderConcerned({ ...occurrence, type: 'ProductWithdrawn' satisfies KnownEvent['type'] })).toBeUndefined();
});

describe('any fulfilment', () => {
  const anyTold = fc.constantFrom(
    ...[orderPlaced, orderConfirmed, orderRejected, orderCancelled, orderDispatched],
    ...[authorised, declined, captured, voided, refunded],
    ...[deliveryScheduled, deliveryCompleted, deliveryRetried, deliveryFailed, deliveryReturned],
    ...[stockReserved, nothingCounted, stockRefused, stockReleased],
  );
  const anyFact = fc.constantFrom(
    ...[started, free, reserved, refused, released, scheduled, dispatched, cancelled, failed, completed, compensate],
    ...[asked('authorise'), asked('capture'), asked('release'), retry],
    ...[settled('authorised'), settled('declined'), settled('captured'), settled('voided'), settled('refunded')],
  );
  const anyHistory = fc.array(anyFact, { maxLength: 12 });

  test('is told a thing twice and notes it once', () => {
    fc.assert(
      fc.property(anyHistory, anyTold, (history, input) => {
        const before = fold(...history);
        const after = react({ input, ...atFirst }, before).reduce(fulfilment.evolve, before);
        expect(react({ input, ...atFirst }, after)).toEqual([]);
      }),
    );
  });

  test('that is over stays so, but for money that an operator, or a mistake, has paid back', () => {
    fc.assert(
      fc.property(anyHistory, (history) => {
        let state = fulfilment.initialState;
        for (const next of history) {
          const after = fulfilment.evolve(state, next);
          if (state.status === 'completed' && after.status !== 'completed') {
            expect(['FulfilmentCompensationRequested', 'FulfilmentPaymentSettled']).toContain(next.type);
            expect(after).toMatchObject({ status: 'compensating', outcome: state.outcome, goods: 'settled' });
            expect('money' in after && owesMoney(after)).toBe(true);
          }
          state = after;
        }
      }),
    );
  });
});
