import { expect, test } from '@jest/globals';
import { encodeConsistencyToken } from '@waybill/shared-kernel/consistency-token.js';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import { wishOf } from './consistency.js';

const write = { stream: 'order-o1', revision: 0, position: 7, partitionKey: 'o1' };
const token = encodeConsistencyToken(write);

test('without a token there is nothing to wait for', () => {
  expect(wishOf({ prefer: 'wait=5' })).toBeUndefined();
});

test('two seconds unless told otherwise', () => {
  expect(wishOf({ 'consistency-token': token })).toEqual({ write, wait: 2, headers: {} });
});

test.each([
  ['wait=5', 5],
  ['wait=0', 0],
  ['wait=10', 10],
  ['wait=3600', 10],
  ['respond-async, wait=3', 3],
  ['return=minimal; foo="x", Wait = "4"', 4],
])('Prefer: %s is %d seconds, and the answer says so', (prefer, seconds) => {
  const wish = wishOf({ 'consistency-token': token, prefer });
  expect(wish).toEqual({ write, wait: seconds, headers: { 'Preference-Applied': `wait=${seconds}` } });
});

test.each([['wait=soon'], ['wait=-1'], ['wait'], ['await=5'], ['return=minimal']])(
  'Prefer: %s is passed by, as preferences are',
  (prefer) => {
    expect(wishOf({ 'consistency-token': token, prefer })).toEqual({ write, wait: 2, headers: {} });
  },
);

test.each([['nonsense'], [''], [`${token}, ${token}`]])('the token %j is refused by name', (bad) => {
  const wish = () => wishOf({ 'consistency-token': bad });
  expect(wish).toThrow(InvalidInput);
  expect(wish).toThrow(
    expect.objectContaining({ faults: [expect.objectContaining({ parameter: 'Consistency-Token' })] }),
  );
});
