import type { Timer } from '../ports/clock.js';

/** A timer whose waits end when the test says so. */
export interface ManualTimer extends Timer {
  /** How long those who wait now said they would, milliseconds. */
  readonly waits: readonly number[];
  /** Ends all waits, as if their time had come. */
  elapse(): void;
}

export function manualTimer(): ManualTimer {
  const waiting = new Map<() => void, number>();
  return {
    get waits() {
      return [...waiting.values()];
    },
    elapse() {
      for (const end of [...waiting.keys()]) end();
    },
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        const end = (): void => {
          waiting.delete(end);
          signal?.removeEventListener('abort', end);
          resolve();
        };
        if (signal?.aborted === true) {
          resolve();
          return;
        }
        waiting.set(end, milliseconds);
        signal?.addEventListener('abort', end);
      }),
  };
}
