import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LimitReached, NotFound, RuleViolated, WaybillError } from '@waybill/shared-kernel/errors.js';
import { given } from '../testing/given.js';
import {
  courierToPickUp,
  delivery,
  mostAssignments,
  mostPositions,
  type DeliveryCommand,
  type DeliveryHistory,
  type DeliveryState,
} from './delivery.js';

const deliveryId = 'd1';
const of = { deliveryId, orderId: 'o1' };
const facts = { ...of, customerId: 'c1', address: 'sealed.1.c1.AAAA', promisedBy: null };
const here = { latitude: 37.5, longitude: 127, at: '2026-01-01T10:00:00.000Z' };

const timeOf = (second: number): string => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString();
const positionsOf = (count: number): readonly DeliveryHistory[] =>
  Array.from({ length: count }, (_, second) => ({
    type: 'DeliveryPositionReported',
    data: { ...of, ...here, at: timeOf(second) },
  }));
const scheduled: DeliveryHistory = { type: 'DeliveryScheduled', data: facts };
const assigned: DeliveryHistory = { type: 'DeliveryAssigned', data: { ...of, courierId: 'k1' } };
const released: DeliveryHistory = { type: 'DeliveryReleased', data: { ...of, courierId: 'k1' } };
const pickedUp: DeliveryHistory = { type: 'DeliveryPickedUp', data: { ...of, courierId: 'k1' } };
const position: DeliveryHistory = { type: 'DeliveryPositionReported', data: { ...of, ...here } };
const completed: DeliveryHistory = { type: 'DeliveryCompleted', data: { ...of, proof: 'signed' } };
const retried: DeliveryHistory = { type: 'DeliveryFailed', data: { ...of, reason: 'nobody home', next: 'retry' } };
const failed: DeliveryHistory = { type: 'DeliveryFailed', data: { ...of, reason: 'refused', next: 'return' } };
const returned: DeliveryHistory = { type: 'DeliveryReturned', data: of };
const cancelled: DeliveryHistory = { type: 'DeliveryCancelled', data: { ...of, reason: 'order cancelled' } };

const scheduleIt: DeliveryCommand = { type: 'ScheduleDelivery', delivery: facts };
const assign: DeliveryCommand = { type: 'AssignDelivery', deliveryId, courierId: 'k1' };
const assignOther: DeliveryCommand = { type: 'AssignDelivery', deliveryId, courierId: 'k2' };
const release: DeliveryCommand = { type: 'ReleaseDelivery', deliveryId };
const pickUp: DeliveryCommand = { type: 'RecordPickUp', deliveryId, courierId: 'k1' };
const report: DeliveryCommand = { type: 'ReportPosition', deliveryId, ...here };
const complete: DeliveryCommand = { type: 'CompleteDelivery', deliveryId, proof: 'signed' };
const retry: DeliveryCommand = { type: 'FailDelivery', deliveryId, reason: 'nobody home', next: 'retry' };
const fail: DeliveryCommand = { type: 'FailDelivery', deliveryId, reason: 'refused', next: 'return' };
const returnIt: DeliveryCommand = { type: 'ReturnDelivery', deliveryId };
const cancel: DeliveryCommand = { type: 'CancelDelivery', deliveryId, reason: 'order cancelled' };
const commands = [assign, assignOther, release, pickUp, report, complete, retry, fail, returnIt, cancel];

describe('a delivery', () => {
  test('is scheduled', () => {
    given(delivery, []).when(scheduleIt).then(scheduled).butNotAgain();
  });

  test('goes to one courier at a time', () => {
    given(delivery, [scheduled]).when(assign).then(assigned).butNotAgain();
    given(delivery, [scheduled, assigned]).when(assignOther).refused(RuleViolated, { rule: 'delivery-assigned' });
    given(delivery, [scheduled, assigned, pickedUp]).when(assign).refused(RuleViolated, {
      rule: 'delivery-picked-up',
    });
    given(delivery, [scheduled, cancelled]).when(assign).refused(RuleViolated, { rule: 'delivery-cancelled' });
  });

  test('is given back', () => {
    given(delivery, [scheduled, assigned]).when(release).then(released).butNotAgain();
    given(delivery, [scheduled, assigned, pickedUp]).when(release).refused(RuleViolated, {
      rule: 'delivery-picked-up',
    });
    const { state } = given(delivery, [scheduled]);
    expect(given(delivery, [scheduled, assigned, released]).state).toEqual({
      ...state,
      couriers: ['k1'],
      assignments: 1,
    });
  });

  test(`is assigned ${mostAssignments} times at most`, () => {
    const history = Array.from({ length: mostAssignments - 1 }, () => [assigned, released]).flat();
    given(delivery, [scheduled, ...history])
      .when(assign)
      .then(assigned);
    given(delivery, [scheduled, ...history, assigned, released])
      .when(assign)
      .refused(LimitReached, {
        limit: 'assignments-of-delivery',
      });
  });

  test('is picked up by the courier who has it', () => {
    const { state } = given(delivery, [scheduled, assigned]);
    expect(state.status !== 'none' && courierToPickUp(state)).toBe('k1');
    given(delivery, [scheduled, assigned]).when(pickUp).then(pickedUp).butNotAgain();
    given(delivery, [scheduled, cancelled]).when(pickUp).refused(RuleViolated, { rule: 'delivery-cancelled' });
  });

  test('was picked up once its order left, even if it was given back meanwhile', () => {
    given(delivery, [scheduled, assigned, released]).when(pickUp).then(pickedUp).butNotAgain();
  });

  test.each([
    ['delivery-open', [scheduled]],
    ['delivery-cancelled', [scheduled, assigned, cancelled]],
    ['imported-history', [{ ...scheduled, imported: true as const }]],
  ])('has nobody to pick it up: %s', (rule, history) => {
    const { state } = given(delivery, history);
    expect(() => state.status !== 'none' && courierToPickUp(state)).toThrow(expect.objectContaining({ rule }));
  });

  test('has positions, each time once, late ones too', () => {
    given(delivery, [scheduled, assigned]).when(report).then(position).butNotAgain();
    given(delivery, [scheduled, assigned, pickedUp, position, completed]).when(report).then();
    const earlier: DeliveryCommand = { ...report, at: '2026-01-01T09:00:00.000Z' };
    given(delivery, [scheduled, assigned, position])
      .when(earlier)
      .then({ type: 'DeliveryPositionReported', data: { ...of, ...here, at: earlier.at } })
      .butNotAgain();
    given(delivery, [scheduled]).when(report).refused(RuleViolated, { rule: 'delivery-open' });
    const another = { ...report, inLog: false };
    given(delivery, [scheduled, assigned, position]).when(another).then(position);
  });

  test('has one position of a second at most, the first that came, but for one of each courier', () => {
    const denser: DeliveryCommand = { ...report, at: '2026-01-01T10:00:00.999Z' };
    given(delivery, [scheduled, assigned, position]).when(denser).then();
    given(delivery, [scheduled, assigned, position])
      .when({ ...denser, inLog: true })
      .then();
    const ofNext = {
      type: 'DeliveryPositionReported',
      data: { ...of, ...here, at: '2026-01-01T10:00:01.000Z' },
    } as const;
    given(delivery, [scheduled, assigned, position])
      .when({ ...report, at: ofNext.data.at })
      .then(ofNext)
      .butNotAgain();
  });

  test('has so many positions and no more, though what is known may be said again and all else goes on', () => {
    const history = [scheduled, assigned, ...positionsOf(mostPositions - 1)];
    const last: DeliveryCommand = { ...report, at: timeOf(mostPositions) };
    given(delivery, history)
      .when(last)
      .then({
        type: 'DeliveryPositionReported',
        data: { ...of, ...here, at: timeOf(mostPositions) },
      });
    const full = given(delivery, [...history, ...positionsOf(1)]);
    full.when(last).refused(LimitReached, {
      limit: 'positions-of-delivery',
      message: 'Delivery d1 has 20000 positions; no more are accepted.',
      retryAfterSeconds: undefined,
    });
    full.when({ ...last, at: timeOf(mostPositions - 2) }).then();
    full.when(pickUp).then(pickedUp);
    given(delivery, [...history, ...positionsOf(1), cancelled])
      .when(last)
      .refused(RuleViolated, {
        rule: 'delivery-cancelled',
      });
  });

  test('is completed', () => {
    given(delivery, [scheduled, assigned, pickedUp]).when(complete).then(completed).butNotAgain();
    given(delivery, [scheduled, assigned])
      .when(complete)
      .refused(RuleViolated, {
        rule: 'delivery-assigned',
        message: `Delivery ${deliveryId} is assigned: only what is picked up can be completed.`,
      });
    given(delivery, [scheduled, assigned, pickedUp, failed]).when(complete).refused(RuleViolated, {
      rule: 'delivery-failed',
    });
  });

  test('fails and is tried again, as often as it takes', () => {
    given(delivery, [scheduled, assigned, pickedUp]).when(retry).then(retried);
    given(delivery, [scheduled, assigned, pickedUp, retried]).when(retry).then(retried);
    given(delivery, [scheduled, assigned, pickedUp, retried]).when(complete).then(completed);
  });

  test('fails and goes back', () => {
    given(delivery, [scheduled, assigned, pickedUp]).when(fail).then(failed).butNotAgain();
    given(delivery, [scheduled, assigned, pickedUp, failed]).when(returnIt).then(returned).butNotAgain();
    given(delivery, [scheduled, assigned]).when(fail).refused(RuleViolated, { rule: 'delivery-assigned' });
    given(delivery, [scheduled, assigned, pickedUp]).when(returnIt).refused(RuleViolated, {
      rule: 'delivery-picked-up',
    });
  });

  test('is cancelled before it is picked up', () => {
    given(delivery, [scheduled]).when(cancel).then(cancelled).butNotAgain();
    given(delivery, [scheduled, assigned]).when(cancel).then(cancelled).butNotAgain();
    given(delivery, [scheduled, assigned, pickedUp]).when(cancel).refused(RuleViolated, {
      rule: 'delivery-picked-up',
    });
  });

  test.each(commands.map((command) => [command.type, command] as const))(
    'takes no %s before it is scheduled',
    (_, command) => given(delivery, []).when(command).refused(NotFound, { what: 'delivery', id: deliveryId }),
  );

  test.each(commands.map((command) => [command.type, command] as const))(
    'takes no %s as imported history',
    (_, command) =>
      given(delivery, [{ ...scheduled, imported: true }])
        .when(command)
        .refused(RuleViolated, { rule: 'imported-history' }),
  );
});

describe('any delivery', () => {
  const anyEvent = fc.oneof(
    fc.constantFrom(...[scheduled, assigned, released, pickedUp, completed, retried, failed, returned, cancelled]),
    fc.nat(20).map((minute): DeliveryHistory => ({
      type: 'DeliveryPositionReported',
      data: { ...of, ...here, at: new Date(minute * 60_000).toISOString() },
    })),
  );
  const anyCommand = fc.constantFrom(scheduleIt, ...commands);
  const fold = (history: readonly DeliveryHistory[]): DeliveryState =>
    history.reduce(delivery.evolve, delivery.initialState);

  test('folds whatever happened in whatever order, and never leaves a final status', () => {
    fc.assert(
      fc.property(fc.array(anyEvent), (history) => {
        let state = delivery.initialState;
        for (const event of history) {
          const next = delivery.evolve(state, event);
          if (['delivered', 'returned', 'cancelled'].includes(state.status)) expect(next).toBe(state);
          if (state.status !== 'none') expect(next.status).not.toBe('none');
          state = next;
        }
      }),
    );
  });

  test('keeps the first report of each second, whatever the order they come in', () => {
    const anyTime = fc.nat(20_000).map((millisecond) => new Date(Date.UTC(2026, 0, 1) + millisecond).toISOString());
    fc.assert(
      fc.property(fc.array(anyTime, { maxLength: 60 }), (times) => {
        let state = fold([scheduled, assigned]);
        const kept: string[] = [];
        for (const at of times) {
          for (const event of delivery.decide({ ...report, at }, state)) {
            kept.push(at);
            state = delivery.evolve(state, event);
          }
        }
        const firsts = new Map(times.toReversed().map((at) => [at.slice(0, 19), at]));
        expect(kept.toSorted()).toEqual([...firsts.values()].toSorted());
      }),
    );
  });

  test('decides a command that comes twice once, but for another attempt, and refuses with data', () => {
    fc.assert(
      fc.property(fc.array(anyEvent), anyCommand, (history, command) => {
        try {
          const events = delivery.decide(command, fold(history));
          if (command !== retry) expect(delivery.decide(command, fold([...history, ...events]))).toEqual([]);
        } catch (error) {
          expect(error).toBeInstanceOf(WaybillError);
        }
      }),
    );
  });
});
