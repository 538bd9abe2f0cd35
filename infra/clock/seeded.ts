import { createCipheriv, createHash } from 'node:crypto';
import type { Randomness, SteadyClock, WallClock } from '@waybill/shared-kernel/ports/clock.js';

/** A clock that stands still until it is told otherwise; both kinds in one, where a test sets neither. */
export interface VirtualClock extends WallClock, SteadyClock {
  /** Moves it forwards, milliseconds. */
  advance(milliseconds: number): void;
}

/** `start`: RFC 3339, or milliseconds since 1970-01-01T00:00:00Z. */
export function virtualClock(start: string | number): VirtualClock {
  let now = new Date(start).getTime();
  if (Number.isNaN(now)) throw new RangeError(`not a time: ${start}`);
  return {
    now: () => now,
    time: () => new Date(now),
    advance: (milliseconds) => {
      now += milliseconds;
    },
  };
}

/** Both clocks, of which the wall clock can be set. */
export interface VirtualClocks {
  readonly wallClock: VirtualClock;
  readonly steadyClock: VirtualClock;
  /** Lets time pass on both, milliseconds. */
  pass(milliseconds: number): void;
}

/** `start`: of the wall clock, as of `virtualClock`. */
export function virtualClocks(start: string | number): VirtualClocks {
  const [wallClock, steadyClock] = [virtualClock(start), virtualClock(0)];
  return {
    wallClock,
    steadyClock,
    pass: (milliseconds) => {
      wallClock.advance(milliseconds);
      steadyClock.advance(milliseconds);
    },
  };
}

/** The same bytes and UUIDs (version 4) in the same order for the same seed: the key stream of AES-256-CTR. */
export function seededRandomness(seed: string): Randomness {
  const key = createHash('sha256').update(seed, 'utf8').digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const bytes = (length: number): Buffer => stream.update(Buffer.alloc(length));
  return {
    bytes,
    uuid: () => {
      const uuid = bytes(16);
      uuid[6] = (uuid[6]! & 0x0f) | 0x40;
      uuid[8] = (uuid[8]! & 0x3f) | 0x80;
      return uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    },
  };
}
