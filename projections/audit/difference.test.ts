import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deviations, valueAt } from './difference.js';

describe('deviations', () => {
  test('are named by JSON pointers, as deep down as both have the same kind of thing', () => {
    const expected = { a: { 'b/c': 1, '~': [1, 2] }, d: null, e: 'x', f: [1] };
    const actual = { a: { 'b/c': 2, '~': [1, 3] }, d: {}, g: 'y', f: [1, 2] };
    expect(deviations(expected, actual)).toEqual([
      { path: '/a/b~1c', expected: 1, actual: 2 },
      { path: '/a/~0/1', expected: 2, actual: 3 },
      { path: '/d', expected: null, actual: {} },
      { path: '/e', expected: 'x', actual: undefined },
      { path: '/f', expected: [1], actual: [1, 2] },
      { path: '/g', expected: undefined, actual: 'y' },
    ]);
  });

  test('equal JSON has none; each that is named is there, on both sides', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(deviations(one, structuredClone(one))).toEqual([]);
        for (const { path, expected, actual } of deviations(one, other)) {
          expect(valueAt(one, path)).toEqual(expected);
          expect(valueAt(other, path)).toEqual(actual);
          expect(deviations(expected, actual)).not.toEqual([]);
        }
      }),
    );
  });
});
