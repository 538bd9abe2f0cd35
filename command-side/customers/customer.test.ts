import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AlreadyExists, NotFound } from '@waybill/shared-kernel/errors.js';
import type { CustomerEvent } from '@waybill/shared-kernel/events/customer.js';
import { given } from '../testing/given.js';
import { customer, type CustomerCommand } from './customer.js';

const customerId = 'c1';
const facts = { customerId, name: 'sealed.1.c1.A', phone: 'sealed.1.c1.B', address: 'sealed.1.c1.C' };
const registered: CustomerEvent = { type: 'CustomerRegistered', data: facts };
const moved: CustomerEvent = { type: 'CustomerAddressChanged', data: { customerId, address: 'sealed.1.c1.D' } };
const register: CustomerCommand = { type: 'RegisterCustomer', customer: facts };
const move: CustomerCommand = { type: 'ChangeCustomerAddress', customerId, address: 'sealed.1.c1.D' };

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

  test('folds whatever happened in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(registered, moved)), (history) => {
        const { status } = given(customer, history).state;
        expect(status).toBe(history.includes(registered) ? 'registered' : 'none');
      }),
    );
  });
});
