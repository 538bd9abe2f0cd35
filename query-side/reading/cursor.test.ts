import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cursorOf, encodeCursor } from './cursor.js';

const place = { order: '2026-03-01T12:00:00.000Z', key: 'o-1' };
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a cursor is a place again', () => {
  expect(cursorOf('orders').parse(encodeCursor('orders', place))).toEqual(place);
});

test.each([
  ['of another list', encodeCursor('deliveries', place)],
  ['of another form', encoded([2, 'orders', place.order, place.key])],
  ['with more in it', encoded([1, 'orders', place.order, place.key, 1])],
  ['of no time', encoded([1, 'orders', 'soon', place.key])],
  ['of no id', encoded([1, 'orders', place.order, "o' OR 1=1"])],
  ['of wrong types', encoded([1, 'orders', 5, null])],
  ['that is an object', encoded({ order: place.order, key: place.key })],
  ['that is empty', ''],
  ['with something behind it', `${encodeCursor('orders', place)}A`],
])('a cursor %s is none', (_what, cursor) => {
  expect(cursorOf('orders').parse(cursor)).toBeUndefined();
});

test('whatever comes is a place or none', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.jsonValue().map(encoded)), (cursor) => {
      expect(cursorOf('orders').parse(cursor)).toBeUndefined();
    }),
  );
});
