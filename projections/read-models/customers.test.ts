import { expect, test } from '@jest/globals';
import { customers, customerView } from './customers.js';
import { foldDocument } from './fold-document.js';
import { happening } from '../testing/history.js';
import { known } from '../testing/recorded.js';

const registered = happening('customer-ada', 'ada', {
  type: 'CustomerRegistered',
  data: { customerId: 'ada', name: 'sealed.1.ada.bmFtZQ', phone: 'sealed.1.ada.cGhvbmU', address: 'sealed.1.ada.b25l' },
});
const moved = happening('customer-ada', 'ada', {
  type: 'CustomerAddressChanged',
  data: { customerId: 'ada', address: 'sealed.1.ada.dHdv' },
});

test('a customer is sealed, and lives where they moved last', () => {
  const { sections, revisions } = foldDocument(customers, known([registered, moved]));
  expect(customerView(sections, revisions)).toStrictEqual({
    customerId: 'ada',
    name: 'sealed.1.ada.bmFtZQ',
    phone: 'sealed.1.ada.cGhvbmU',
    address: 'sealed.1.ada.dHdv',
    erased: false,
    revision: 1,
  });
});

test('an erased customer keeps nothing but the id, whatever came before', () => {
  const erased = happening('customer-ada', 'ada', { type: 'CustomerErased', data: { customerId: 'ada' } });
  const { sections, revisions } = foldDocument(customers, known([registered, moved, erased]));
  expect(customerView(sections, revisions)).toStrictEqual({
    customerId: 'ada',
    name: null,
    phone: null,
    address: null,
    erased: true,
    revision: 2,
  });
  expect(JSON.stringify(sections)).not.toContain('sealed');
});

test('a customer who was not registered is none', () => {
  const { sections, revisions } = foldDocument(customers, known([moved]));
  expect(customerView(sections, revisions)).toBeUndefined();
});
