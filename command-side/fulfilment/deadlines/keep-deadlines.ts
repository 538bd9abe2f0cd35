import { asError } from '@waybill/shared-kernel/as-error.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';

export interface DeadlineDependencies {
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Called with each look that failed. */
  readonly report?: (fault: Error, of: string) => void;
}

/** Milliseconds from one look to the next. */
const pause = 1_000;
const backOff: BackOff = { first: pause, most: 30_000 };

/**
 * Calls `look` for the deadlines of a partition every second until it is stopped, with the time up to which the
 * partition's consumer has handled events; not while that is unknown. A look that fails is repeated after a pause.
 * `handledUntilMs`: as in `ConsumerState`.
 */
export function keepDeadlines(
  of: string,
  look: (handledUntilMs: number) => Promise<void>,
  handledUntilMs: () => number | undefined,
  { timer, randomness, report }: DeadlineDependencies,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const run = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted;) {
      const handled = handledUntilMs();
      if (handled !== undefined) {
        try {
          await look(handled);
          failures = 0;
        } catch (error) {
          failures += 1;
          report?.(asError(error), of);
        }
      }
      await timer.sleep(failures === 0 ? pause : backOffDelay(backOff, failures - 1, randomness), signal);
    }
  };
  const running = run();
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}
