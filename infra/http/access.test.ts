import { describe, expect, test } from '@jest/globals';
import {
  accessTo,
  actingRole,
  described,
  notTheirs,
  requireRole,
  visibilityOf,
  type Access,
  type AccessTable,
} from './access.js';
import type { Caller } from './identity/caller.js';

const access: Access = {
  customer: { own: 'redacted' },
  courier: { own: 'personal', open: 'redacted' },
  operator: { any: 'personal' },
  auditor: { any: 'redacted' },
  others: 404,
};
const table: AccessTable = { 'GET /v1/things/:thingId': access };
const as = (...roles: Caller['roles']) => ({ caller: { sub: 'me', roles }, access });

test('a row is found by the path of a route or of a document, and by nothing else', () => {
  expect(accessTo(table, 'GET', '/v1/things/:thingId')).toBe(access);
  expect(accessTo(table, 'GET', '/v1/things/{thingId}')).toBe(access);
  expect(accessTo(table, 'POST', '/v1/things/:thingId')).toBeUndefined();
  expect(accessTo(table, 'constructor', '')).toBeUndefined();
});

describe('passes', () => {
  test('whoever has a role of the row', () => {
    expect(() => requireRole(as('merchant', 'courier').caller, access)).not.toThrow();
  });

  test('nobody else, and nobody where there is no row', () => {
    expect(() => requireRole(as('merchant').caller, access)).toThrow('customer, courier, operator, auditor');
    expect(() => requireRole(as('operator').caller, undefined)).toThrow('No role');
    expect(() => requireRole(as('operator').caller, 'signed')).toThrow('No role');
  });
});

test.each([
  ['what is theirs', as('customer'), { customer: 'me' }, 'redacted', 'customer'],
  ['what is theirs among others', as('customer'), { customer: ['you', 'me'] }, 'redacted', 'customer'],
  ['what is theirs in another role', as('customer'), { courier: 'me' }, undefined, undefined],
  ["somebody else's", as('customer', 'courier'), { customer: 'you', courier: 'you' }, undefined, undefined],
  ["nobody's, to a role that may not", as('customer'), { open: true }, undefined, undefined],
  ["nobody's, to one that may", as('courier'), { open: true }, 'redacted', 'courier'],
  ["nobody's that is yet theirs", as('courier'), { open: true, courier: 'me' }, 'personal', 'courier'],
  ['anything', as('auditor'), {}, 'redacted', 'auditor'],
  ['the most of several roles', as('auditor', 'courier'), { courier: 'me' }, 'personal', 'auditor'],
  ['anything, in a role that is not of the row', as('merchant'), { merchant: 'me' }, undefined, undefined],
])('%s', (_what, asker, owners, visibility, role) => {
  expect(visibilityOf(asker, owners)).toBe(visibility);
  expect(actingRole(asker, owners)).toBe(role);
});

test('others hear that they may not, or that there is no such thing', () => {
  expect(notTheirs(access, 'thing', 't1')).toMatchObject({ kind: 'not-found' });
  expect(notTheirs({ ...access, others: 403 }, 'thing', 't1')).toMatchObject({ kind: 'forbidden' });
});

test('a document says it in words and for programs', () => {
  expect(described(access)).toEqual({
    words:
      'Roles: customer (their own without personal data), courier (their own, open ones without personal data), ' +
      'operator, auditor (all without personal data).',
    roles: { customer: ['own'], courier: ['own', 'open'], operator: ['any'], auditor: ['any'] },
  });
});
