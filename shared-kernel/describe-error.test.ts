import { expect, test } from '@jest/globals';
import { describeError } from './describe-error.js';

test('an error is told in one line of bounded length, without the sealed values that it quotes', () => {
  expect(describeError(new TypeError('no address in\n"sealed.1.ann.YWRk-_cmVzcw"'))).toBe(
    'TypeError: no address in "sealed"',
  );
  expect(describeError('x'.repeat(1000))).toHaveLength(500);
});
