import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IdTaken, LimitReached, NotFound, RuleViolated } from '@waybill/shared-kernel/errors.js';
import type { CustomerEvent } from '@waybill/shared-kernel/events/customer.js';
import { given } from '../testing/given.js';
import { customer, mostAddressChangesADay, type CustomerCommand, type CustomerHistory } from './customer.js';

const customerId = 'c1';
const facts = { customerId, name: 'sealed.1.c1.A', phone: 'sealed.1.c1.B', address: 'sealed.1.c1.C' };
const registered: CustomerEvent = { type: 'CustomerRegistered', data: facts };
const moved: CustomerEvent = { type: 'CustomerAddressChanged', data: { customerId, address: 'sealed.1.c1.D' } };
const register: CustomerCommand = { type: 'RegisterCustomer', customer: facts };
const move: CustomerCommand = {
  type: 'ChangeCustomerAddress',
  customerId,
  address: 'sealed.1.c1.D',
  at: '2026-01-02T23:59:30.500Z',
};
const erased: CustomerEvent = { type: 'CustomerErased', data: { customerId } };
const erase = (...theirs: string[]): CustomerCommand => ({
  type: 'EraseCustomer',
  customerId,
  ordersUnderWay: { theirs, ofUnknown: [] },
});

describe('a customer', () => {
  test('registers once', () => {
    given(customer, []).when(register).then(registered);
    given(customer, [registered]).when(register).refused(IdTaken, { id: customerId });
  });

  test('moves', () => {
    given(customer, [registered]).when(move).then(moved).butNotAgain();
    expect(given(customer, [registered, moved]).state).toMatchObject({ address: 'sealed.1.c1.D' });
    given(customer, []).when(move).refused(NotFound, { what: 'customer', id: customerId });
  });

  test('moves so often a day and no more, and again on the next', () => {
    const movedAt = (occurredAt: string): CustomerHistory => ({ ...moved, occurredAt });
    const often = Array.from({ length: mostAddressChangesADay }, () => movedAt('2026-01-02T00:00:00.000Z'));
    const again: CustomerCommand = { ...move, address: 'sealed.1.c1.E' };
    const data = { customerId, address: 'sealed.1.c1.E' };
    given(customer, [registered, movedAt('2026-01-01T23:59:59.999Z'), ...often.slice(1)])
      .when(again)
      .then({
        type: 'CustomerAddressChanged',
        data,
      });
    const full = given(customer, [registered, ...often]);
    full.when(again).refused(LimitReached, {
      limit: 'address-changes-of-day',
      message: 'The address of customer c1 was changed 200 times today. It can be changed again tomorrow, UTC.',
      retryAfterSeconds: 30,
    });
    // What changes nothing is none; and a clock that is behind begins no day anew.
    full.when(move).then();
    full.when({ ...again, at: '2026-01-01T12:00:00.000Z' }).refused(LimitReached);
    full.when({ ...again, at: '2026-01-03T00:00:00.000Z' }).then({ type: 'CustomerAddressChanged', data });
  });

  test('never moves more often a day than that', () => {
    const anyDay = fc.nat(2).map((day) => `2026-01-0${day + 1}T12:00:00.000Z`);
    fc.assert(
      fc.property(
        fc.array(anyDay, { minLength: mostAddressChangesADay, maxLength: 3 * mostAddressChangesADay }),
        (times) => {
          const counts = new Map<string, number>();
          let state = given(customer, [registered]).state;
          for (const [index, at] of times.toSorted().entries()) {
            try {
              const [event] = customer.decide({ ...move, address: `sealed.1.c1.${index}`, at }, state);
              state = customer.evolve(state, { ...event!, occurredAt: at });
              counts.set(at, (counts.get(at) ?? 0) + 1);
            } catch (error) {
              expect(error).toBeInstanceOf(LimitReached);
              expect(counts.get(at)).toBe(mostAddressChangesADay);
            }
          }
          expect(Math.max(...counts.values())).toBeLessThanOrEqual(mostAddressChangesADay);
        },
      ),
    );
  });

  test('is erased once no order of theirs is under way, and for ever', () => {
    given(customer, [registered]).when(erase()).then(erased).butNotAgain();
    given(customer, [registered, moved, erased]).when(erase('o1')).then();
    given(customer, []).when(erase()).refused(NotFound, { what: 'customer', id: customerId });
    for (const command of [register, move]) {
      given(customer, [registered, erased]).when(command).refused(RuleViolated, { rule: 'customer-erased' });
    }
  });

  test('is not erased while orders are under way, and hears which', () => {
    given(customer, [registered]).when(erase('o1', 'o2')).refused(RuleViolated, {
      rule: 'orders-under-way',
      message: 'Customer c1 can be erased when no order of theirs is under way any more. These are: o1, o2.',
    });
    const many = Array.from({ length: 12 }, (_, index) => `o${index}`);
    given(customer, [registered])
      .when(erase(...many))
      .refused(RuleViolated, { message: expect.stringMatching(/: o0, .*, o9 and 2 more\.$/) });
    // The boundaries: exactly one, exactly as many as are named, and one more.
    const naming = (count: number, end: string): void =>
      given(customer, [registered])
        .when(erase(...many.slice(0, count)))
        .refused(RuleViolated, {
          rule: 'orders-under-way',
          message: expect.stringMatching(new RegExp(`: ${end}\\.$`)),
        });
    naming(1, 'o0');
    naming(10, 'o0, .*, o9');
    naming(11, 'o0, .*, o9 and 1 more');
  });

  test('folds whatever happened in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(registered, moved, erased)), (history) => {
        const { status } = given(customer, history).state;
        const expected = history.includes(registered) ? 'registered' : 'none';
        expect(status).toBe(history.includes(erased) ? 'erased' : expected);
      }),
    );
  });
});
