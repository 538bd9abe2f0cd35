import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readSnapshot, writeSnapshot, type Snapshot } from './snapshot.js';

const snapshot: Snapshot<unknown> = {
  revision: 41,
  eventId: '7d8a4f5e-0b5c-4c39-9d31-0d9b1d7b3a11',
  state: { status: 'open', customerId: 'ann' },
  requests: [['b6a4c1de-2f5d-5f0e-8c7a-1a2b3c4d5e6f', 40, 1_767_225_600_000]],
};
const stored = writeSnapshot('delivery-d1', 3, snapshot);

test('what was written is read again, whatever the state', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (state) => {
      const one = { ...snapshot, state: JSON.parse(JSON.stringify(state)) as unknown };
      expect(readSnapshot('delivery-d1', 3, writeSnapshot('delivery-d1', 3, one))).toEqual(one);
    }),
  );
});

test('whatever is changed in it, it is damaged', () => {
  const { text } = stored;
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('', 'x', '0', '\u0000', '"}'), (at, put) => {
      const changed = text.slice(0, at) + put + text.slice(at + 1);
      fc.pre(changed !== text);
      expect(readSnapshot('delivery-d1', 3, { ...stored, text: changed })).toMatchObject({ isWrong: true });
    }),
  );
  for (const short of ['', text.slice(0, 43), text.slice(0, -1)]) {
    expect(readSnapshot('delivery-d1', 3, { ...stored, text: short })).toMatchObject({ isWrong: true });
  }
});

test('that of another stream, or said to be of another revision or version, is damaged', () => {
  const changes: readonly (readonly [string, object])[] = [
    ['delivery-d2', {}],
    ['delivery-d1', { revision: 42 }],
    ['delivery-d1', { schemaVersion: 4 }],
  ];
  for (const [stream, change] of changes) {
    expect(readSnapshot(stream, 3, { ...stored, ...change })).toMatchObject({ why: 'it is damaged', isWrong: true });
  }
});

test.each([2, 4])('one that is whole is of no use to a program of version %i, but to others', (version) => {
  expect(readSnapshot('delivery-d1', version, stored)).toEqual({
    why: `it is of version 3, this program makes version ${version}`,
    isWrong: false,
  });
});
