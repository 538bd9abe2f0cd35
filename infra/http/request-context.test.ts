import { expect, test } from '@jest/globals';
import { requestIdFrom } from './request-context.js';

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
