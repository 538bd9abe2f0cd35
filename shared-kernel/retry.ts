import { asError } from './as-error.js';
import { backOffDelay, type BackOff } from './back-off.js';
import type { Randomness, Timer } from './ports/clock.js';

export interface RetryDependencies {
  readonly backOff: BackOff;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Told of each failure. What it throws ends the retrying. */
  readonly failed: (fault: Error) => void;
}

/**
 * Works, and after a failure again, with back-off and full jitter, until the work is done or `signal` aborts: then it
 * resolves with `undefined`, and what failed since is not told. `progressed`: the next failure is the first again.
 */
export async function retryUntilAborted<Result>(
  work: (progressed: () => void) => Promise<Result>,
  signal: AbortSignal,
  { backOff, timer, randomness, failed }: RetryDependencies,
): Promise<Result | undefined> {
  const isOver = () => signal.aborted;
  for (let failures = 0; !isOver(); failures += 1) {
    try {
      return await work(() => {
        failures = 0;
      });
    } catch (error) {
      if (isOver()) break;
      failed(asError(error));
    }
    await timer.sleep(backOffDelay(backOff, failures, randomness), signal);
  }
  return undefined;
}
