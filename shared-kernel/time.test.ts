import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { utcTime } from './time.js';

test.each([
  ['2017-11-24T23:59:59Z', '2017-11-24T23:59:59.000Z'],
  ['2017-11-24T23:59:59.9999Z', '2017-11-24T23:59:59.999Z'],
  ['2017-11-25T08:59:59+09:00', '2017-11-24T23:59:59.000Z'],
  ['2017-11-24t20:59:59-03:00', '2017-11-24T23:59:59.000Z'],
  ['2016-02-29T00:00:00z', '2016-02-29T00:00:00.000Z'],
])('%s is %s', (text, time) => {
  expect(utcTime(text)).toBe(time);
});

test.each([
  '',
  'yesterday',
  '1511567999',
  '2017-11-24',
  '2017-11-24T23:59:59',
  '2017-11-24T23:59Z',
  '2017-02-30T00:00:00Z',
  '2017-13-01T00:00:00Z',
  '2017-01-01T25:00:00Z',
  '2017-01-01T00:00:00+9',
  ' 2017-11-24T23:59:59Z',
])('"%s" is none', (text) => {
  expect(utcTime(text)).toBeUndefined();
});

test('whatever Date prints is taken as it is', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
      (date) => {
        expect(utcTime(date.toISOString())).toBe(date.toISOString());
      },
    ),
  );
});
