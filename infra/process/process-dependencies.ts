import { pino } from 'pino';
import type { Registry } from 'prom-client';
import type { Randomness, SteadyClock, Timer, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { steadyClock } from '../clock/steady.js';
import { systemClock, systemRandomness, systemTimer } from '../clock/system.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import type { ReportFault } from './engines.js';
import { KnownOutage, OutageBegun } from '../event-store/eventstoredb/outage.js';
import { processMetrics } from '../http/health.js';
import { withoutSecrets } from './without-secrets.js';

/** What every process has, whatever it does. */
export interface ProcessDependencies {
  readonly log: pino.Logger;
  readonly metrics: Registry;
  readonly clock: WallClock;
  readonly steadyClock: SteadyClock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  /**
   * Logs a fault that is tried again, and counts it. A fault of an outage that was logged before is only counted,
   * whichever part of the process logged it.
   */
  readonly report: ReportFault;
  /** Logs that what was reported is over, when it is for all that reported it. */
  readonly recovered: (text: string, of: string) => void;
  /** Logs what was quarantined, in one line, and counts it. */
  readonly quarantined: ReportQuarantine;
}

/** What every log has, wherever it goes. */
export const logOptions = { hooks: { streamWrite: withoutSecrets } } as const;

/** Logs to standard error, one JSON object a line. */
export function processDependencies(logging: {
  readonly name?: string;
  readonly level: 'info' | 'warn';
}): ProcessDependencies {
  const log = pino({ ...logging, ...logOptions }, pino.destination(2));
  /** How many connections to a server have lost it. */
  const losers = new Map<string, number>();
  const { metrics, countFault, countQuarantined } = processMetrics();
  return {
    log,
    metrics,
    clock: systemClock,
    steadyClock,
    randomness: systemRandomness,
    timer: systemTimer,
    report: (fault, of) => {
      countFault(of);
      if (fault instanceof KnownOutage) return;
      const others = losers.get(of) ?? 0;
      if (fault instanceof OutageBegun) losers.set(of, others + 1);
      if (!(fault instanceof OutageBegun) || others === 0) log.warn({ of }, fault.message);
    },
    recovered: (text, of) => {
      const others = Math.max(0, (losers.get(of) ?? 0) - 1);
      losers.set(of, others);
      if (others === 0) log.warn({ of }, text);
    },
    quarantined: (notice) => {
      countQuarantined(notice.projection);
      log.warn(notice, 'quarantined');
    },
  };
}
