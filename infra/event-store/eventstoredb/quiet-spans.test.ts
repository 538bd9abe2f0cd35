import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { QuietSpans } from './quiet-spans.js';

test('joins spans that adjoin or overlap, and keeps those apart that do not', () => {
  const spans = new QuietSpans();
  spans.note(0, 10, 'a');
  spans.note(20, 30, 'b');
  expect(spans.at(0)).toEqual({ from: 0, through: 10, id: 'a' });
  expect(spans.at(10)).toBeUndefined();
  expect(spans.at(15)).toBeUndefined();
  spans.note(10, 20, 'c');
  expect(spans.at(3)).toEqual({ from: 0, through: 30, id: 'b' });
  spans.forget();
  expect(spans.at(3)).toBeUndefined();
});

test('leaves out nothing but what was looked through, however that is told', () => {
  const noted = fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 9 })), { maxLength: 30 });
  fc.assert(
    fc.property(noted, (parts) => {
      const spans = new QuietSpans();
      const quiet = new Set<number>();
      for (const [from, length] of parts) {
        spans.note(from, from + length, String(from + length));
        for (let position = from + 1; position <= from + length; position += 1) quiet.add(position);
      }
      for (let position = 0; position < 80; position += 1) {
        let through = position;
        while (quiet.has(through + 1)) through += 1;
        const span = spans.at(position);
        expect(span?.through ?? position).toBe(through);
        expect(span?.id ?? String(through)).toBe(String(through));
      }
    }),
  );
});
