import { expect, test } from '@jest/globals';
import { positionOf, readPositionOf } from './position.js';

test('a position is the commit position, and goes back as both', () => {
  expect(positionOf({ commit: 4_711n, prepare: 4_711n })).toBe(4_711);
  expect(readPositionOf(4_711)).toEqual({ commit: 4_711n, prepare: 4_711n });
});

test('the beginning and the end of the log have names', () => {
  expect(readPositionOf(0)).toBe('start');
  expect(readPositionOf(Infinity)).toBe('end');
});

test('a position that a number cannot hold, or that is not given, is refused', () => {
  expect(() => positionOf({ commit: 2n ** 53n, prepare: 2n ** 53n })).toThrow(RangeError);
  expect(() => positionOf(undefined)).toThrow(RangeError);
});
