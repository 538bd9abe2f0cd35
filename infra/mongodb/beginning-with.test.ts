import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { beginningWith } from './beginning-with.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');

test('the range holds exactly the texts that begin so, as MongoDB compares them', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\ud7ff', '\ue000', '💶', '\u{10ffff}') });
  fc.assert(
    fc.property(text, text, (prefix, other) => {
      const { $gte, $lt } = beginningWith(prefix);
      const isIn = (value: string): boolean =>
        Buffer.compare(bytes(value), bytes($gte)) >= 0 &&
        ($lt === undefined || Buffer.compare(bytes(value), bytes($lt)) < 0);
      expect(isIn(prefix + other)).toBe(true);
      expect(isIn(other)).toBe(other.startsWith(prefix));
    }),
  );
});
