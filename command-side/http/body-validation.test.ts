import { expect, test } from '@jest/globals';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import fc from 'fast-check';
import { ChangeStockBody, ListProductBody } from '../catalogue/http.js';
import { RegisterCustomerBody } from '../customers/http.js';
import { CompleteBody, FailBody, PositionBody } from '../delivery/http.js';
import { PlaceOrderBody } from '../ordering/bodies.js';
import { isValid } from './body-validation.js';

const options = { whitelist: true, forbidNonWhitelisted: true } as const;
const value = fc.oneof(
  fc.constantFrom<unknown>(
    'a',
    'KRW',
    '',
    ' ',
    'a b',
    0,
    1,
    90,
    90.5,
    -1,
    1000,
    1001,
    1e13,
    null,
    undefined,
    true,
    [],
    {},
  ),
  fc.constantFrom('2026-01-31T12:00:00Z', '2026-02-30T12:00:00Z', 'retry', 'return', 'x'.repeat(201)),
);
const or = (likely: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 12, arbitrary: likely }, { weight: 1, arbitrary: value });
const body = (fields: Record<string, fc.Arbitrary<unknown>>, required: readonly string[]) =>
  fc
    .tuple(
      fc.record(fields, { requiredKeys: [...required] }),
      fc.oneof({ weight: 9, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.constant({ more: 1 }) }),
    )
    .map(([known, more]) => ({ ...known, ...more }));

const text = or(fc.constant('Tea'));
const address = body({ street: text, city: text, postalCode: text }, ['street', 'city', 'postalCode']);
const money = body({ amount: or(fc.nat()), currency: or(fc.constant('KRW')) }, ['amount', 'currency']);
const line = body({ productId: text, quantity: or(fc.integer({ min: 1, max: 1000 })) }, ['productId', 'quantity']);
const payment = body({ token: text }, ['token']);
const lines = fc.array(or(line), { maxLength: 3 });

test.each<[string, new () => object, fc.Arbitrary<object>]>([
  [
    'an order',
    PlaceOrderBody,
    body({ orderId: text, customerId: text, lines: or(lines), deliveryAddress: or(address), payment: or(payment) }, [
      'customerId',
      'lines',
      'payment',
    ]),
  ],
  [
    'a product',
    ListProductBody,
    body({ productId: text, name: text, unitPrice: or(money), stock: or(fc.nat()) }, ['name', 'unitPrice']),
  ],
  ['a change of stock', ChangeStockBody, body({ change: or(fc.integer()) }, [])],
  [
    'a customer',
    RegisterCustomerBody,
    body({ customerId: text, name: text, phone: text, address: or(address) }, ['name', 'phone', 'address']),
  ],
  [
    'a position',
    PositionBody,
    body({ latitude: or(fc.double()), longitude: or(fc.double()), at: or(fc.constant('2026-01-31T12:00:00Z')) }, [
      'latitude',
      'longitude',
      'at',
    ]),
  ],
  ['a completion', CompleteBody, body({ proof: text }, [])],
  ['a failure', FailBody, body({ reason: text, next: or(fc.constant('retry')) }, ['reason', 'next'])],
])('of %s says what class-validator says', (_, kind, bodies) => {
  let passed = 0;
  fc.assert(
    fc.property(bodies, (plain) => {
      const valid = validateSync(plainToInstance(kind, plain), options).length === 0;
      expect(isValid(kind, plain)).toBe(valid);
      if (valid) passed += 1;
    }),
    { numRuns: 400 },
  );
  expect(passed).toBeGreaterThan(20);
});

test.each<[string, unknown]>([
  ['of every object', JSON.parse('{"__proto__": {}}')],
  ['of every object', { constructor: 1 }],
  ['of its own', { proof: 'signed', toString: 1 }],
])('a field with a name %s is none of its class', (_, plain) => {
  expect(isValid(CompleteBody, plain as object)).toBe(false);
});
