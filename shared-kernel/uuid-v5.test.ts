import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { v5 } from 'uuid';
import { uuidV5 } from './uuid-v5.js';

test('is the UUID that the uuid package makes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.uuid(), (name, namespace) => {
      expect(uuidV5(name, namespace)).toBe(v5(name, namespace));
    }),
  );
});
