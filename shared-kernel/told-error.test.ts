import { expect, test } from '@jest/globals';
import { toldError } from './told-error.js';

test('an error is told in one line of bounded length, without the sealed values that it quotes', () => {
  expect(toldError(new TypeError('no address in\n"sealed.1.ann.YWRk-_cmVzcw"'))).toBe(
    'TypeError: no address in "sealed"',
  );
  expect(toldError('x'.repeat(1000))).toHaveLength(500);
});
