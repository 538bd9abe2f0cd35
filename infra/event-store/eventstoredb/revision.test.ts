import { expect, test } from '@jest/globals';
import { expectedRevisionOf, revisionOf } from './revision.js';

test('no stream is −1 here and a word there; revisions are the same number', () => {
  expect(expectedRevisionOf(-1)).toBe('no_stream');
  expect(expectedRevisionOf(0)).toBe(0n);
  expect(revisionOf('no_stream')).toBe(-1);
  expect(revisionOf(12n)).toBe(12);
});
