import { expect, test } from '@jest/globals';
import { traceparentFrom } from './traceparent.js';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';
const sampled = `00-${trace}-${span}-01`;

test.each([
  [sampled, sampled],
  [`00-${trace}-${span}-00`, `00-${trace}-${span}-00`],
  [`01-${trace}-${span}-01`, sampled],
  [`01-${trace}-${span}-01-${'x'.repeat(15_000)}`, sampled],
  [`cc-${trace}-${span}-01-\n`, sampled],
])('%.70s is a trace context, of 55 characters', (text, known) => {
  expect(traceparentFrom(text)).toBe(known);
});

test.each([
  [''],
  [`ff-${trace}-${span}-01`],
  [`00-${'0'.repeat(32)}-${span}-01`],
  [`00-${trace}-${'0'.repeat(16)}-01`],
  [`00-${trace.toUpperCase()}-${span}-01`],
  [`00-${trace}-${span}-01-more`],
  [`01-${trace}-${span}-01more`],
  [`00-${trace}-${span}`],
])('%s is none', (text) => {
  expect(traceparentFrom(text)).toBeUndefined();
});
