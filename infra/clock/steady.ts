import process from 'node:process';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';

/** The operating system's monotonic clock, which all threads of a process share and nobody sets: for durations. */
export const steadyClock: SteadyClock = { now: () => Number(process.hrtime.bigint()) / 1e6 };
