import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { beginning, valueList, valuesOf, whole } from './value-list.js';

const awkward = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', 'b', '\n', '"', '\\', ',', 'n', 'é', '💶') }),
);

describe('a value list', () => {
  test('holds a set of any strings', () => {
    fc.assert(
      fc.property(fc.array(awkward), (values) => {
        expect(valuesOf(valueList(values))).toEqual([...new Set(values)].sort());
      }),
    );
  });

  test('is the same text for the same set', () => {
    fc.assert(
      fc.property(fc.array(awkward), (values) => {
        expect(valueList([...values].reverse())).toBe(valueList([...values, ...values]));
      }),
    );
  });

  test('shows a whole value, and the beginning of one, as parts of its text', () => {
    fc.assert(
      fc.property(fc.array(awkward), awkward, (values, asked) => {
        const list = valueList(values);
        expect(list.includes(whole(asked))).toBe(values.includes(asked));
        expect(list.includes(beginning(asked))).toBe(values.some((value) => value.startsWith(asked)));
      }),
    );
  });
});
