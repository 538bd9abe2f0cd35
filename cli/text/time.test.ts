import { describe, expect, test } from '@jest/globals';
import { durationOption, timeOption } from './time.js';

describe('a time', () => {
  test('is taken in any zone, as UTC', () => {
    expect(timeOption('2017-11-25T08:59:59+09:00')).toBe('2017-11-24T23:59:59.000Z');
  });

  test('is refused with what is expected', () => {
    expect(() => timeOption('yesterday')).toThrow('Expected is an RFC 3339 time with its zone');
  });
});

describe('a duration', () => {
  test.each([
    ['90s', 90],
    ['15m', 900],
    ['8h', 28_800],
    ['30d', 2_592_000],
  ])('%s is %i seconds', (text, seconds) => {
    expect(durationOption(text)).toBe(seconds);
  });

  test.each(['', '5', '0h', '-1h', '1.5h', '1w', 'h'])('refuses "%s"', (text) => {
    expect(() => durationOption(text)).toThrow('Expected is a duration');
  });
});
