import { pino } from 'pino';
import type { Registry } from 'prom-client';
import type { Clock, Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { systemClock, systemRandomness, systemTimer } from './clock/system.js';
import { assertShared, readConfig, type Config } from './config.js';
import { joinDataFolder } from './data-folder.js';
import type { ReportFault } from './engines.js';
import { createHealth, processMetrics, readinessOf } from './http/health.js';
import { listen } from './http/listen.js';

/** One of several processes that together are Waybill: what each of them begins with. */
export interface Part {
  readonly config: Config;
  readonly log: pino.Logger;
  readonly metrics: Registry;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  /** Logs a fault that is tried again, and counts it. */
  readonly report: ReportFault;
  /** Lets the data folder go. The last thing a process does. */
  release(): void;
}

/**
 * Reads the environment, and takes its share of the data folder if `usesFolder` says that it uses it. Throws
 * `BadConfiguration` or `BadDataFile`.
 */
export async function beginPart(name: string, usesFolder: (config: Config) => boolean): Promise<Part> {
  const config = readConfig();
  assertShared(config);
  const log = pino({ name, level: 'info' }, pino.destination(2));
  const { metrics, countFault } = processMetrics();
  const lock = usesFolder(config) ? await joinDataFolder(config.dataFolder) : undefined;
  return {
    config,
    log,
    metrics,
    clock: systemClock,
    randomness: systemRandomness,
    timer: systemTimer,
    report: ({ message }, of) => {
      countFault(of);
      log.warn({ of }, message);
    },
    release: () => lock?.release(),
  };
}

/** Answers `/healthz`, `/readyz` and `/metrics` at `WAYBILL_HEALTH_PORT`, if it is set. */
export async function listenForHealth(
  { config, metrics }: Part,
  questions: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<{ readonly url: string | undefined; close(): Promise<void> }> {
  if (config.healthPort === undefined) return { url: undefined, close: () => Promise.resolve() };
  return listen(createHealth({ ready: () => readinessOf(questions), metrics }), {
    host: config.host,
    port: config.healthPort,
    hostVariable: 'WAYBILL_HOST',
    portVariable: 'WAYBILL_HEALTH_PORT',
  });
}
