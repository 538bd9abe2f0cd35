import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { searchQuery, searchText } from './search-tokens.js';
import { valueList } from './value-list.js';

const awkward = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', 'B', '7', ' ', '\n', '"', '\\', '-', '_', 'é', '💶') }),
);

test('a document is found by the beginning of each of its values, in its field, however they are written', () => {
  fc.assert(
    fc.property(fc.array(fc.array(awkward, { maxLength: 4 }), { maxLength: 3 }), (fields) => {
      const tokens = searchText(fields.map((values) => valueList(values))).split(' ');
      const expected = fields.flatMap((values, field) =>
        [...new Set(values)].sort().map((prefix) => searchQuery({ field, prefix }).slice(1, -'" *'.length)),
      );
      expect(tokens).toEqual(expected.length === 0 ? [''] : expected);
    }),
  );
});
