import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock, Randomness } from '@waybill/shared-kernel/ports/clock.js';

export const systemClock: Clock = { now: () => Date.now() };

/** Unpredictable bytes of the operating system; UUIDs of version 4. */
export const systemRandomness: Randomness = {
  bytes: (length) => randomBytes(length),
  uuid: () => randomUUID(),
};
