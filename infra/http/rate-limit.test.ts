import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock } from '../clock/seeded.js';
import { RateLimit } from './rate-limit.js';

const start = '2026-01-01T00:00:00Z';

test('lets a minute’s worth through at once, to each', () => {
  const limit = new RateLimit(5, virtualClock(start));
  for (const whom of ['ann', 'bob']) {
    expect(Array.from({ length: 6 }, () => limit.take(whom))).toEqual([0, 0, 0, 0, 0, 12]);
  }
});

test('lets one through again when it said, and no more', () => {
  const clock = virtualClock(start);
  const limit = new RateLimit(7, clock);
  for (let taken = 0; taken < 7; taken += 1) expect(limit.take('ann')).toBe(0);
  for (let more = 0; more < 20; more += 1) {
    const wait = limit.take('ann');
    expect(wait).toBeGreaterThan(0);
    clock.advance(wait * 1000);
    expect(limit.take('ann')).toBe(0);
  }
});

test('lets whoever kept within it through for ever, and nobody past it for long', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(fc.nat(5000), { maxLength: 200 }), (perMinute, pauses) => {
      const clock = virtualClock(start);
      const limit = new RateLimit(perMinute, clock);
      let passed = 0;
      let elapsed = 0;
      for (const pause of pauses) {
        clock.advance(pause);
        elapsed += pause;
        if (limit.take('ann') === 0) passed += 1;
        expect(passed).toBeLessThanOrEqual(perMinute + (elapsed * perMinute) / 60_000 + 1e-6);
      }
      for (let time = 0; time < 50; time += 1) {
        clock.advance(60_000 / perMinute + 60_000);
        expect(limit.take('ann')).toBe(0);
      }
    }),
  );
});

test('remembers so many at most', () => {
  const clock = virtualClock(start);
  const limit = new RateLimit(1, clock);
  expect(limit.take('first')).toBe(0);
  expect(limit.take('first')).toBe(60);
  for (let other = 0; other < 50_000; other += 1) limit.take(`other-${other}`);
  expect(limit.take('first')).toBe(0);
});
