import { randomBytes, randomUUID } from 'node:crypto';
import type { Randomness, Timer, WallClock } from '@waybill/shared-kernel/ports/clock.js';

export const systemClock: WallClock = { time: () => new Date() };

/** Unpredictable bytes of the operating system; UUIDs of version 4. */
export const systemRandomness: Randomness = {
  bytes: (length) => randomBytes(length),
  uuid: () => randomUUID(),
};

export const systemTimer: Timer = {
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const over = (): void => {
        clearTimeout(timeout);
        signal?.removeEventListener('abort', over);
        resolve();
      };
      const timeout = setTimeout(over, milliseconds);
      signal?.addEventListener('abort', over);
    }),
};
