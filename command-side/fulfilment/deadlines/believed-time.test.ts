import { describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { epochMs, timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { BelievedTime } from './believed-time.js';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const start = Date.UTC(2026, 0, 1);

/** Clocks of which the test sets the wall clock. */
function clocks() {
  const [wallClock, steadyClock] = [virtualClock(start), virtualClock(0)];
  const time = new BelievedTime({ wallClock, steadyClock });
  return {
    time,
    wallClock,
    steadyClock,
    /** Lets time pass, looked at every second as it is where deadlines are kept. */
    pass: (milliseconds: number): void => {
      for (let left = milliseconds; left > 0; left -= second) {
        wallClock.advance(Math.min(left, second));
        steadyClock.advance(Math.min(left, second));
        epochMs(time);
      }
    },
  };
}

describe('believed time', () => {
  test.each([16 * minute, 25 * hour])('goes on as before while the wall clock is %i ms ahead for a moment', (jump) => {
    const { time, wallClock, pass } = clocks();
    wallClock.advance(jump);
    pass(4 * second);
    expect(epochMs(time)).toBe(start + 4 * second);
    wallClock.advance(-jump);
    pass(second);
    expect(epochMs(time)).toBe(start + 5 * second);
  });

  test('is no later than the log, as its last live event tells, however long ago that was', () => {
    const { time, steadyClock, wallClock, pass } = clocks();
    time.seeLive(timestamp({ time: () => new Date(start - 16 * minute) }));
    expect(epochMs(time)).toBe(start - 16 * minute);
    pass(hour);
    expect(epochMs(time)).toBe(start + hour - 16 * minute);
    time.seeLive(timestamp({ time: () => new Date(start + 2 * hour) }));
    expect(epochMs(time)).toBe(wallClock.now());
    expect(steadyClock.now()).toBe(hour);
  });

  test('goes on by the log where the wall clock is set back, if both had agreed', () => {
    const { time, wallClock, pass } = clocks();
    pass(minute);
    time.seeLive(timestamp(wallClock));
    wallClock.advance(-hour);
    pass(minute);
    expect(epochMs(time)).toBe(start + 2 * minute);
  });

  test('is the time of a log that was ahead at the beginning, after a minute, and passes while that waits', () => {
    const { time, pass } = clocks();
    const ahead = timestamp({ time: () => new Date(start + hour) });
    time.seeLast(timestamp({ time: () => new Date(start - hour) }));
    expect(epochMs(time)).toBe(start);
    time.seeLast(ahead);
    pass(minute - second);
    expect(epochMs(time)).toBe(start + minute - second);
    pass(2 * second);
    expect(epochMs(time)).toBe(start + hour + minute + second);
    for (let minutes = 0; minutes < 10; minutes += 1) {
      time.seeLive(ahead);
      pass(minute);
    }
    expect(epochMs(time)).toBe(start + hour + 11 * minute + second);
    time.seeLive(timestamp({ time: () => new Date(start + 11 * minute) }));
    expect(epochMs(time)).toBe(start + 11 * minute);
  });

  test('is proven when the clocks have been watched for a minute', () => {
    const { time, wallClock, pass } = clocks();
    wallClock.advance(25 * hour);
    expect(time.isProven()).toBe(false);
    pass(minute - second);
    expect(time.isProven()).toBe(false);
    pass(second);
    expect(time.isProven()).toBe(true);
  });
});
