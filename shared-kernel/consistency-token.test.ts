import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeConsistencyToken, encodeConsistencyToken } from './consistency-token.js';
import { InvalidInput } from './errors.js';

const position = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('consistency tokens', () => {
  test('carry the write point', () => {
    fc.assert(
      fc.property(
        fc.record({ stream: fc.string(), revision: position, position, partitionKey: fc.string() }),
        (point) => {
          const token = encodeConsistencyToken(point);
          expect(decodeConsistencyToken(token)).toEqual(point);
          // fit for a header
          expect(token).toMatch(/^[\w-]+$/);
        },
      ),
    );
  });

  test('of the form that clients may still hold are read', () => {
    expect(decodeConsistencyToken('WzEsIm9yZGVyLW8xIiwzLDE3LCJvMSJd')).toEqual({
      stream: 'order-o1',
      revision: 3,
      position: 17,
      partitionKey: 'o1',
    });
  });

  test('that are none are refused, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
        ),
        (text) => {
          expect(() => decodeConsistencyToken(text)).toThrow(InvalidInput);
        },
      ),
    );
  });

  test.each([
    [[2, 'order-o1', 3, 17, 'o1']],
    [[1, 'order-o1', 3, 17]],
    [[1, 'order-o1', '3', 17, 'o1']],
    [[1, 'order-o1', 3.5, 17, 'o1']],
    [[1, 'order-o1', 3, 2 ** 60, 'o1']],
    [[1, 7, 3, 17, 'o1']],
    [[1, 'order-o1', 3, 17, null]],
  ])('%j is refused', (fields) => {
    const token = Buffer.from(JSON.stringify(fields)).toString('base64url');
    expect(() => decodeConsistencyToken(token)).toThrow(InvalidInput);
  });
});
