import { pino } from 'pino';
import type { Registry } from 'prom-client';
import type { Clock, Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { systemClock, systemRandomness, systemTimer } from './clock/system.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/quarantine-notice.js';
import type { ReportFault } from './engines.js';
import { processMetrics } from './http/health.js';
import { withoutSecrets } from './without-secrets.js';

/** What every process has, whatever it does. */
export interface ProcessMeans {
  readonly log: pino.Logger;
  readonly metrics: Registry;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  /** Logs a fault that is tried again, and counts it. */
  readonly report: ReportFault;
  /** Logs what was quarantined, in one line, and counts it. */
  readonly quarantined: ReportQuarantine;
}

/** What every log has, wherever it goes. */
export const logOptions = { hooks: { streamWrite: withoutSecrets } } as const;

/** Logs to standard error, one JSON object a line. */
export function processMeans(logging: { readonly name?: string; readonly level: 'info' | 'warn' }): ProcessMeans {
  const log = pino({ ...logging, ...logOptions }, pino.destination(2));
  const { metrics, countFault, countQuarantined } = processMetrics();
  return {
    log,
    metrics,
    clock: systemClock,
    randomness: systemRandomness,
    timer: systemTimer,
    report: ({ message }, of) => {
      countFault(of);
      log.warn({ of }, message);
    },
    quarantined: (notice) => {
      countQuarantined(notice.projection);
      log.warn(notice, 'quarantined');
    },
  };
}
