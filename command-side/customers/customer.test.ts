import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AlreadyExists, NotFound, RuleViolated } from '@waybill/shared-kernel/errors.js';
import type { CustomerEvent } from '@waybill/shared-kernel/events/customer.js';
import { given } from '../testing/given.js';
import { customer, type CustomerCommand } from './customer.js';

const customerId = 'c1';
const facts = { customerId, name: 'sealed.1.c1.A', phone: 'sealed.1.c1.B', address: 'sealed.1.c1.C' };
const registered: CustomerEvent = { type: 'CustomerRegistered', data: facts };
const moved: CustomerEvent = { type: 'CustomerAddressChanged', data: { customerId, address: 'sealed.1.c1.D' } };
const register: CustomerCommand = { type: 'RegisterCustomer', customer: facts };
const move: CustomerCommand = { type: 'ChangeCustomerAddress', customerId, address: 'sealed.1.c1.D' };
const erased: CustomerEvent = { type: 'CustomerErased', data: { customerId } };
const erase = (...ordersUnderWay: string[]): CustomerCommand => ({ type: 'EraseCustomer', customerId, ordersUnderWay });

describe('a customer', () => {
  test('registers once', () => {
    given(customer, []).when(register).then(registered);
    given(customer, [registered]).when(register).refused(AlreadyExists, { what: 'customer', id: customerId });
  });

  test('moves', () => {
    given(customer, [registered]).when(move).then(moved).butNotAgain();
    expect(given(customer, [registered, moved]).state).toMatchObject({ address: 'sealed.1.c1.D' });
    given(customer, []).when(move).refused(NotFound, { what: 'customer', id: customerId });
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
