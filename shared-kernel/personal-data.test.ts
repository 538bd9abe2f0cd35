import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { seal, subjectOf, unseal } from './personal-data.js';
import type { Randomness } from './ports/clock.js';

const randomness: Randomness = { bytes: (length) => randomBytes(length), uuid: () => randomUUID() };
const key = randomBytes(32);

const subjects = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const values = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);

describe('personal data', () => {
  test('is what it was when it is unsealed with its key', () => {
    fc.assert(
      fc.property(subjects, values, (subject, value) => {
        const sealed = seal(subject, key, value, randomness);
        expect(subjectOf(sealed)).toBe(subject);
        expect(unseal(sealed, key)).toEqual(value);
      }),
    );
  });

  test('is one line of ASCII that shows the subject alone', () => {
    fc.assert(
      fc.property(subjects, fc.string({ minLength: 8 }), (subject, value) => {
        const sealed = seal(subject, key, value, randomness);
        expect(sealed).toMatch(/^sealed\.1\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]+$/);
        expect(Buffer.from(sealed.slice(sealed.lastIndexOf('.') + 1), 'base64url').includes(value)).toBe(false);
      }),
    );
  });

  test('is sealed otherwise each time', () => {
    expect(seal('somebody', key, 'Kim', randomness)).not.toBe(seal('somebody', key, 'Kim', randomness));
  });

  test('cannot be moved to another subject', () => {
    fc.assert(
      fc.property(subjects, subjects, (subject, other) => {
        fc.pre(subject !== other);
        const moved = seal(subject, key, 'Kim', randomness).replace(`.1.${subject}.`, `.1.${other}.`);
        expect(subjectOf(moved)).toBe(other);
        expect(() => unseal(moved, key)).toThrow();
      }),
    );
  });

  test('does not open with another key', () => {
    expect(() => unseal(seal('somebody', key, 'Kim', randomness), randomBytes(32))).toThrow();
  });

  test('does not open when any one bit of it was flipped', () => {
    const sealed = seal('somebody', key, { name: 'Kim', phone: '+82 10 0000 0000' }, randomness);
    const start = sealed.lastIndexOf('.') + 1;
    const bytes = Buffer.from(sealed.slice(start), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => unseal(sealed.slice(0, start) + flipped.toString('base64url'), key)).toThrow();
    }
  });

  test('does not open when it was cut short', () => {
    const sealed = seal('somebody', key, 'Kim', randomness);
    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => unseal(sealed.slice(0, length), key)).toThrow();
    }
  });

  test.each(['', 'Kim', 'sealed.2.somebody.AAAA', 'sealed.1.somebody'])('%j is not sealed', (text) => {
    expect(() => subjectOf(text)).toThrow('not a sealed value');
  });
});
