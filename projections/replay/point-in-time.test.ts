import { describe, expect, test } from '@jest/globals';
import { askedAt, isKnown } from './point-in-time.js';

const nowMs = Date.parse('2026-03-01T12:00:00.000Z');
const at = (seconds: number): string => new Date(nowMs + 1_000 * seconds).toISOString();

/** Whether an event of a time is there as of another, both seconds from now. */
const isThere = (time: number, bound: number): boolean =>
  isKnown({ occurredAt: at(time), recordedAt: at(time) }, askedAt({ asOf: at(bound), knownAt: at(bound) }, nowMs));

describe('a moment ago', () => {
  test.each([
    ['what was then', -5, -5, true],
    ['nothing that came after it', -4, -5, false],
    ['nothing that came after it, be it dated a little later than now', 2, -0.5, false],
    ['what a clock that ran ahead dated much later than now', 3_600, -5, true],
  ])('shows %s', (_, time, bound, expected) => {
    expect(isThere(time, bound)).toBe(expected);
  });
});

test('now shows all that is there, whatever clock dated it', () => {
  expect([isThere(0, 0), isThere(0.001, 0), isThere(3_600, 0), isThere(3_600, 5)]).toEqual([true, true, true, true]);
});

test('what is longer ago shows nothing that is dated later', () => {
  expect([isThere(-20, -20), isThere(-19, -20), isThere(1, -20), isThere(3_600, -20)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
