import { expect, test } from '@jest/globals';
import { readTime } from './time.js';

test.each([
  ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31T12:00:00.1234567Z', '2026-01-31T12:00:00.123Z'],
  ['2026-01-31T23:30:00-01:00', '2026-02-01T00:30:00.000Z'],
  ['2024-02-29T00:00:00+09:00', '2024-02-28T15:00:00.000Z'],
])('%s is %s', (text, time) => expect(readTime(text)).toBe(time));

test.each(['', 'now', '2026-01-31', '2026-01-31T12:00:00', '2026-02-30T12:00:00Z', '2026-01-31T25:00:00Z', '0'])(
  '%j is no time',
  (text) => expect(readTime(text)).toBeUndefined(),
);
