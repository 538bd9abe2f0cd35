import { describe, expect, test } from '@jest/globals';
import { ConcurrentRequest, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import { againOnConflict } from './conflict.js';

describe('a conflict', () => {
  const conflict = new WrongExpectedRevision('order-1', 0, 1);
  const waits: number[] = [];
  const dependencies = {
    timer: { sleep: async (milliseconds: number) => void waits.push(milliseconds) },
    randomness: { bytes: (length: number) => new Uint8Array(length).fill(255), uuid: () => '' },
  };

  test('is tried again, a few times, ever later', async () => {
    waits.length = 0;
    let attempts = 0;
    const lost = againOnConflict(() => Promise.reject(((attempts += 1), conflict)), dependencies);
    await expect(lost).rejects.toBeInstanceOf(ConcurrentRequest);
    expect(attempts).toBe(8);
    expect(waits).toEqual([5, 10, 20, 40, 80, 100, 100]);
  });

  test('ends with the first that wins; any other error ends it at once', async () => {
    const outcomes = [Promise.reject(conflict), Promise.resolve('won')];
    expect(await againOnConflict(() => outcomes.shift()!, dependencies)).toBe('won');
    const other = new Error('other');
    await expect(againOnConflict(() => Promise.reject(other), dependencies)).rejects.toBe(other);
  });
});
