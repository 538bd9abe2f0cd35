import { expect, test } from '@jest/globals';
import { isSealedCursor, openPlace, sealPlace } from './sealed-cursor.js';

const place = { order: '2026-03-01T12:00:00.000Z', key: 'o-1' };
const [key, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const sealed = sealPlace('orders', place, key);

test('a sealed place is a place again, with its key and for its list alone', () => {
  expect(isSealedCursor(sealed)).toBe(true);
  expect(openPlace('orders', sealed, key)).toEqual(place);
  expect(openPlace('orders', sealed, other)).toBeUndefined();
  expect(openPlace('deliveries', sealed, key)).toBeUndefined();
});

test('it is the same each time, and as long as any other', () => {
  expect(sealPlace('orders', place, key)).toBe(sealed);
  const longest = sealPlace('orders', { ...place, key: 'k'.repeat(64) }, key);
  expect(longest).toHaveLength(sealed.length);
  expect(openPlace('orders', longest, key)).toEqual({ ...place, key: 'k'.repeat(64) });
});

test('nothing of it can be changed', () => {
  const bytes = Buffer.from(sealed, 'base64url');
  for (let at = 1; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    expect(openPlace('orders', changed.toString('base64url'), key)).toBeUndefined();
  }
});

test.each(['', 'abc', `${sealed}A`, sealed.slice(1), `B${sealed.slice(1)}`])('%j is none', (text) => {
  expect(isSealedCursor(text)).toBe(false);
});
