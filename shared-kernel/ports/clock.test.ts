import { describe, expect, test } from '@jest/globals';
import type { SteadyClock, WallClock } from './clock.js';

const wallClock: WallClock = { time: () => new Date(0) };
const steadyClock: SteadyClock = { now: () => 0 };
const waitBy = (clock: SteadyClock): number => clock.now();
const dateBy = (clock: WallClock): string => clock.time().toISOString();

// What is expected not to compile fails the build where it does.
describe('the two clocks', () => {
  test('a duration on the wall clock does not compile', () => {
    const began = wallClock.time();
    // @ts-expect-error -- no time of a wall clock can be subtracted from another
    expect(wallClock.time() - began).toBe(0);
    // @ts-expect-error -- nor anything from one
    expect(wallClock.time() - 1_000).toBe(-1_000);
  });

  test('nor does one clock in the place of the other', () => {
    // @ts-expect-error -- what waits, waits by the steady clock
    expect(() => waitBy(wallClock)).toThrow(TypeError);
    // @ts-expect-error -- what is dated, is dated by the wall clock
    expect(() => dateBy(steadyClock)).toThrow(TypeError);
    expect([waitBy(steadyClock), dateBy(wallClock)]).toEqual([0, '1970-01-01T00:00:00.000Z']);
  });
});
