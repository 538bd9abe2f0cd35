import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSumKey, sumKeyOf, sumKeyText } from './storable.js';

const awkward = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', '"', '\\', ']', ',', '\n', '\u2028', 'é', '💶', '\ud800') }),
);

test('the key of a sum is JSON of its parts, and gives them back', () => {
  fc.assert(
    fc.property(awkward, awkward, awkward, awkward, (owner, day, unit, name) => {
      const text = sumKeyText({ owner, day, unit, name });
      expect(text).toBe(JSON.stringify([owner, day, unit, name]));
      expect(isSumKey(text)).toBe(true);
      expect(sumKeyOf(text)).toEqual({ owner, day, unit, name });
    }),
  );
});
