import { expect, test } from '@jest/globals';
import { LogTime } from './log-time.js';
import { epochMs, timestamp } from './ports/clock.js';

const hour = 3_600_000;

test('is that of a log that is ahead of the clock, and no more once the clock has come there', () => {
  let passed = 0;
  const pass = (milliseconds: number): void => void (passed += milliseconds);
  const begun = Date.parse('2026-01-01T00:00:00Z');
  const [wallClock, steadyClock] = [{ time: () => new Date(begun + passed) }, { now: () => passed }];
  const time = new LogTime({ wallClock, steadyClock });
  // Recorded while the clock was an hour ahead; times of a log never go back.
  const ahead = new Date(epochMs(wallClock) + hour).toISOString();
  time.see({ position: 1, recordedAt: ahead });
  pass(60_000);
  expect(epochMs(time) - Date.parse(ahead)).toBe(60_000);
  // What waits grows older, however often it is read; what is recorded now is of now.
  time.see({ position: 1, recordedAt: ahead });
  expect(epochMs(time) - Date.parse(ahead)).toBe(60_000);
  time.see({ position: 2, recordedAt: ahead });
  expect(timestamp(time)).toBe(ahead);
  pass(2 * hour);
  time.see({ position: 3, recordedAt: timestamp(wallClock) });
  expect(timestamp(time)).toBe(timestamp(wallClock));
});
