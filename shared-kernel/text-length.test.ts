import { expect, test } from '@jest/globals';
import { isLongerThan } from './text-length.js';

test.each([
  ['', 0, false],
  ['abc', 3, false],
  ['abcd', 3, true],
  ['𝒜𝒷𝒸', 3, false],
  ['𝒜𝒷𝒸d', 3, true],
  ['𝒜𝒷𝒸𝒹', 3, true],
  ['\ud835'.repeat(3), 3, false],
])('%j is counted in code points', (text, characters, longer) => {
  expect(isLongerThan(text, characters)).toBe(longer);
});
