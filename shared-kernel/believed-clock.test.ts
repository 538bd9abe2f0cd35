import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { believedClock, BelievedClock } from './believed-clock.js';
import { epochMs } from './ports/clock.js';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const start = Date.UTC(2026, 0, 1);

/** A clock that stands still until it is moved. */
function clockAt(now: number) {
  return { now: () => now, time: () => new Date(now), advance: (milliseconds: number) => void (now += milliseconds) };
}

/** Clocks of which the test sets the wall clock. */
function clocks() {
  const [wallClock, steadyClock] = [clockAt(start), clockAt(0)];
  const time = new BelievedClock({ wallClock, steadyClock });
  return {
    time,
    wallClock,
    steadyClock,
    /** Lets time pass, looked at every second. */
    pass: (milliseconds: number): void => {
      for (let left = milliseconds; left > 0; left -= second) {
        wallClock.advance(Math.min(left, second));
        steadyClock.advance(Math.min(left, second));
        epochMs(time);
      }
    },
  };
}

describe('a believed clock', () => {
  test('is the wall clock while that runs as the steady one does', () => {
    const { time, wallClock, pass } = clocks();
    expect(epochMs(time)).toBe(start);
    pass(3 * hour);
    expect(epochMs(time)).toBe(wallClock.now());
  });

  test.each([16 * minute, 25 * hour])('goes on as before while the wall clock is %i ms ahead for a moment', (jump) => {
    const { time, wallClock, pass } = clocks();
    wallClock.advance(jump);
    pass(4 * second);
    expect(epochMs(time)).toBe(start + 4 * second);
    wallClock.advance(-jump);
    pass(second);
    expect(epochMs(time)).toBe(start + 5 * second);
  });

  test('follows a jump ahead when it has stayed so for a minute, not before', () => {
    const { time, wallClock, pass } = clocks();
    wallClock.advance(hour);
    epochMs(time);
    pass(minute - second);
    expect(epochMs(time)).toBe(start + minute - second);
    pass(second);
    expect(epochMs(time)).toBe(start + hour + minute);
  });

  test('believes of a clock that jumps on and on what it has been ahead by for a minute', () => {
    const { time, wallClock, pass } = clocks();
    wallClock.advance(hour);
    epochMs(time);
    pass(minute / 2);
    wallClock.advance(hour);
    pass(minute / 2);
    expect(epochMs(time)).toBe(start + hour + minute);
    pass(minute);
    expect(epochMs(time)).toBe(start + 2 * hour + 2 * minute);
  });

  test('does not count a jump for a minute because nobody looked', () => {
    const { time, wallClock, steadyClock } = clocks();
    wallClock.advance(2 * hour);
    steadyClock.advance(hour);
    expect(epochMs(time)).toBe(start + hour);
  });

  test('follows a jump back at once', () => {
    const { time, wallClock, pass } = clocks();
    pass(minute);
    wallClock.advance(-hour);
    expect(epochMs(time)).toBe(start + minute - hour);
    // Set right again, it is ahead.
    wallClock.advance(hour);
    pass(second);
    expect(epochMs(time)).toBe(start + minute - hour + second);
  });

  test('is never ahead of what the wall clock has shown for a minute, whatever is set, and comes to it in the end', () => {
    const step = fc.record({ passes: fc.integer({ min: 0, max: 90 }), set: fc.integer({ min: -9, max: 9 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { time, wallClock, steadyClock, pass } = clocks();
        const looks = [{ at: 0, ahead: start }];
        for (const { passes, set } of steps) {
          wallClock.advance((passes + set) * second);
          steadyClock.advance(passes * second);
          const at = steadyClock.now();
          looks.push({ at, ahead: wallClock.now() - at });
          const recent = looks.filter((look) => look.at >= at - minute);
          expect(epochMs(time) - at).toBeLessThanOrEqual(Math.min(...recent.map(({ ahead }) => ahead)));
        }
        pass(3 * minute);
        expect(epochMs(time)).toBe(wallClock.now());
      }),
    );
  });
});

test('a clock that is believed is watched once', () => {
  const { time, steadyClock } = clocks();
  expect(believedClock({ wallClock: time, steadyClock })).toBe(time);
  const wallClock = clockAt(start);
  const believed = believedClock({ wallClock, steadyClock });
  wallClock.advance(hour);
  expect(epochMs(believed)).toBe(start);
});
