import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backOffDelay } from './back-off.js';

const backOff = { first: 50, most: 10_000 };
const drawing = (value: number) => ({ bytes: () => Buffer.alloc(4, value), uuid: () => '' });

test('a wait is anything up to a bound that doubles and then stays', () => {
  const bounds = Array.from({ length: 11 }, (_, failures) => backOffDelay(backOff, failures, drawing(0xff)));
  expect(bounds).toEqual([50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  expect(backOffDelay(backOff, 5, drawing(0))).toBe(0);
});

test('a wait is never longer than the longest, after however many failures', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), (failures, value) => {
      const delay = backOffDelay(backOff, failures, drawing(value));
      expect(Number.isInteger(delay) && delay >= 0 && delay <= backOff.most).toBe(true);
    }),
  );
});
