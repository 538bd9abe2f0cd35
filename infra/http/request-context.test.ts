import { expect, test } from '@jest/globals';
import { requestIdFrom, traceparentFrom } from './request-context.js';

const randomness = { uuid: () => 'new' };

test.each([['abc-1'], ['0af7651916cd43dd8448eb211c80319c'], ['a'.repeat(128)]])('the request id %s is taken', (id) => {
  expect(requestIdFrom(id, randomness)).toBe(id);
});

test.each([[undefined], [''], ['a b'], ['a\r\nSet-Cookie: x'], ['a'.repeat(129)], [['a', 'b']], ['ä']])(
  'in place of the request id %j there is a new one',
  (id) => {
    expect(requestIdFrom(id, randomness)).toBe('new');
  },
);

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';

test.each([[`00-${trace}-${span}-01`], [`00-${trace}-${span}-00`], [`01-${trace}-${span}-01-more`]])(
  '%s is a trace context',
  (header) => {
    expect(traceparentFrom(header)).toBe(header);
  },
);

test.each([
  [undefined],
  [''],
  [`ff-${trace}-${span}-01`],
  [`00-${'0'.repeat(32)}-${span}-01`],
  [`00-${trace}-${'0'.repeat(16)}-01`],
  [`00-${trace.toUpperCase()}-${span}-01`],
  [`00-${trace}-${span}-01-more`],
  [`00-${trace}-${span}`],
])('%s is none', (header) => {
  expect(traceparentFrom(header)).toBeUndefined();
});
