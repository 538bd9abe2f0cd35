import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { categories, categoryOf, deliveryIdOf, idPattern, parseStream, streamName } from './stream.js';

const id = fc.stringMatching(idPattern);

describe('stream names', () => {
  test('hold category and id, hyphens in the id included', () => {
    fc.assert(
      fc.property(fc.constantFrom(...categories), id, (category, name) => {
        const stream = streamName(category, name);
        expect(parseStream(stream)).toEqual({ category, id: name });
        expect(categoryOf(stream)).toBe(category);
      }),
    );
  });

  test('are a storage format', () => {
    expect(categories.map((category) => streamName(category, 'a-1'))).toEqual([
      'order-a-1',
      'payment-a-1',
      'delivery-a-1',
      'fulfilment-a-1',
      'product-a-1',
      'customer-a-1',
      'request-a-1',
    ]);
  });

  test.each(['', 'order', '-1', 'orders-1', '$ce-order', 'ORDER-1'])('%j is no stream of ours', (name) => {
    expect(() => parseStream(name)).toThrow('not a stream');
    expect(categoryOf(name)).toBeUndefined();
  });
});

test.each(['', 'a'.repeat(65), 'a b', 'a/b', 'ä', 'a\n', '../a', 'a.b'])('%j is no id', (text) => {
  expect(idPattern.test(text)).toBe(false);
});

describe('the delivery of an order', () => {
  test('is a storage format', () => {
    expect(deliveryIdOf('o1')).toBe('ce9d6392-9b22-5b89-a1a3-43782eda23e4');
  });

  test('is an id, and another for another order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(id, { minLength: 2, maxLength: 2 }), (orderIds) => {
        const [one, other] = orderIds.map(deliveryIdOf);
        expect(one).toMatch(idPattern);
        expect(one).not.toBe(other);
      }),
    );
  });
});
