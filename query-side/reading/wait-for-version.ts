import type { SteadyClock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { LagGauge } from './freshness.js';
import { trusted } from './live-version.js';

export interface WaitForVersionDependencies {
  /** A steady one. */
  readonly clock: SteadyClock;
  readonly timer: Timer;
}

/** Milliseconds after which every reader has left the version that was switched away; timers may be a little early. */
const everybodyLeft = trusted + 10;

/** Milliseconds between two looks. */
const interval = 10;

/** Milliseconds that a switch may keep readers waiting. */
export const switchPatience = 1_000;

/**
 * Waits, having met a version that was switched to, until it shows all that anybody may have seen in the one before.
 * That is known only from the log: whatever was seen is in it. So once everybody has left the other version, where the
 * log ends then is how far this one must have come. Gives up after `switchPatience`, as where the version lags behind
 * or the log is down: then reads say how stale they are.
 */
export async function waitForVersion(
  gauge: Pick<LagGauge, 'reach'>,
  { clock, timer }: WaitForVersionDependencies,
): Promise<void> {
  const deadline = clock.now() + switchPatience;
  await timer.sleep(everybodyLeft);
  for (let due: number | undefined; ;) {
    const reach = await gauge.reach();
    const end = (due ??= reach?.head);
    if (end !== undefined && reach?.projected.every((position) => position >= end) === true) return;
    const left = deadline - clock.now();
    if (left <= 0) return;
    await timer.sleep(Math.min(interval, left));
  }
}
