import { beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { Reach } from './freshness.js';
import { trusted } from './live-version.js';
import { switchPatience, waitForVersion } from './wait-for-version.js';

describe('waiting for a version that was switched to', () => {
  let clock: VirtualClock;
  let begun: number;
  let reach: Reach | undefined;
  /** When it looked, milliseconds after it began. */
  let looks: number[];
  /** Happens so many milliseconds after it began. */
  let happening: ReadonlyMap<number, () => void>;
  beforeEach(() => {
    clock = virtualClock('2026-03-01T12:00:00Z');
    begun = clock.now();
    reach = { head: 7, projected: [7, 7] };
    looks = [];
    happening = new Map();
  });

  const timer: Timer = {
    sleep: (milliseconds) => {
      for (let passed = 0; passed < milliseconds; passed += 1) {
        happening.get(clock.now() - begun)?.();
        clock.advance(1);
      }
      return Promise.resolve();
    },
  };
  const gauge = {
    reach: () => {
      looks.push(clock.now() - begun);
      return Promise.resolve(reach);
    },
  };
  const waited = async (): Promise<number> => {
    await waitForVersion(gauge, { clock, timer });
    return clock.now() - begun;
  };

  test('takes until everybody has left the other version, however far this one has come', async () => {
    expect(await waited()).toBeGreaterThan(trusted);
    expect(looks).toHaveLength(1);
  });

  test('ends when each partition has come as far as the log had then, and not as far as it has now', async () => {
    reach = { head: 7, projected: [7, 5] };
    happening = new Map([
      [200, () => (reach = { head: 8, projected: [6, 8] })],
      [300, () => (reach = { head: 12, projected: [7, 9] })],
    ]);
    expect(await waited()).toBeGreaterThan(300);
    expect(clock.now() - begun).toBeLessThan(320);
  });

  test('gives up when patience ends, after a last look', async () => {
    reach = { head: 7, projected: [7, 6] };
    expect(await waited()).toBe(switchPatience);
    expect(looks.at(-1)).toBe(switchPatience);
    expect(looks.length).toBeLessThan(switchPatience / 5);
  });

  test('looks for the log as long as it cannot be looked at', async () => {
    reach = undefined;
    happening = new Map([[500, () => (reach = { head: 7, projected: [7, 7] })]]);
    expect(await waited()).toBeGreaterThan(500);
    expect(clock.now() - begun).toBeLessThan(switchPatience);
    reach = undefined;
    happening = new Map();
    begun = clock.now();
    expect(await waited()).toBe(switchPatience);
  });
});
