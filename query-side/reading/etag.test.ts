import { expect, test } from '@jest/globals';
import { isNamed } from './etag.js';

test.each([
  ['W/"a"', true],
  ['"a"', true],
  ['"b", W/"a"', true],
  ['*', true],
  ['W/"b"', false],
  ['a', false],
  ['', false],
  [undefined, false],
])('If-None-Match %j names W/"a": %s', (header, named) => {
  expect(isNamed(header, 'W/"a"')).toBe(named);
});
