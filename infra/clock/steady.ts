import type { Clock } from '@waybill/shared-kernel/ports/clock.js';

/** Never set back or forth while the process runs: for durations. */
export const steadyClock: Clock = { now: () => performance.timeOrigin + performance.now() };
