import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import { ConcurrentRequest, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';

const attempts = 8;
const backOff: BackOff = { first: 5, most: 100 };

/**
 * Loads, decides and appends again when somebody else appended meanwhile: for that error only, a few times, with
 * jitter. Throws `ConcurrentRequest` when the others keep winning.
 */
export async function againOnConflict<Result>(
  loadDecideAppend: () => Promise<Result>,
  { timer, randomness }: { readonly timer: Timer; readonly randomness: Randomness },
): Promise<Result> {
  for (let lost = 0; lost < attempts; lost += 1) {
    if (lost > 0) await timer.sleep(backOffDelay(backOff, lost - 1, randomness));
    try {
      return await loadDecideAppend();
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
    }
  }
  throw new ConcurrentRequest('Other requests kept changing it at the same time. Try again.');
}
