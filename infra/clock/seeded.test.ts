import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { seededRandomness, virtualClock } from './seeded.js';
import { systemRandomness } from './system.js';

const uuidOfVersion4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('seeded randomness', () => {
  test('the same seed gives the same bytes and UUIDs, another seed others', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.nat(40)), (seed, lengths) => {
        const draw = (of: string) => {
          const randomness = seededRandomness(of);
          return lengths.map((length) => [Buffer.from(randomness.bytes(length)).toString('hex'), randomness.uuid()]);
        };
        expect(draw(seed)).toEqual(draw(seed));
        if (lengths.length > 0) expect(draw(seed)).not.toEqual(draw(`${seed}!`));
      }),
    );
  });

  test('never the same twice', () => {
    const randomness = seededRandomness('seed');
    const drawn = Array.from({ length: 1000 }, () => randomness.uuid());
    expect(new Set(drawn).size).toBe(1000);
  });
});

test.each([
  ['seeded', seededRandomness('seed')],
  ['system', systemRandomness],
])('%s UUIDs are UUIDs of version 4, bytes as many as asked for', (_, randomness) => {
  const uuid = randomness.uuid();
  expect(uuid).toMatch(uuidOfVersion4);
  expect(randomness.bytes(33)).toHaveLength(33);
});

describe('virtual clock', () => {
  test('stands still until it is moved', () => {
    const clock = virtualClock('2026-01-01T00:00:00Z');
    expect(timestamp(clock)).toBe('2026-01-01T00:00:00.000Z');
    clock.advance(1_500);
    expect(timestamp(clock)).toBe('2026-01-01T00:00:01.500Z');
  });

  test('refuses what is no time', () => {
    expect(() => virtualClock('yesterday')).toThrow('not a time: yesterday');
  });
});
