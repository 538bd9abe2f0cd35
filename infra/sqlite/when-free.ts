import { setTimeout as sleep } from 'node:timers/promises';
import { isBusy } from './database.js';

const longestPauseMs = 50;

/**
 * Runs synchronous work, again while another connection holds the lock it needs, with growing, random pauses in which
 * the thread is free. After `lockTimeoutMs` it rejects with the `Unavailable` of the last try; anything else at once.
 */
export async function whenFree<T>(work: () => T, lockTimeoutMs = 10_000): Promise<T> {
  const start = performance.now();
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() - start >= lockTimeoutMs) throw error;
    }
    await sleep(pauseMs * Math.random());
  }
}
