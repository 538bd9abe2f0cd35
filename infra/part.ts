import { pino } from 'pino';
import type { Registry } from 'prom-client';
import { BadConfiguration } from '@waybill/shared-kernel/errors.js';
import type { Clock, Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { systemClock, systemRandomness, systemTimer } from './clock/system.js';
import { assertShared, readConfig, type Config } from './config.js';
import { prepareDataFolder, shareDataFolder, type DataFolderLock } from './data-folder.js';
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

/** A command line that looks whether a server runs holds the data folder for a moment; milliseconds. */
const lockPatience = 1_000;

/**
 * Reads the environment, and takes its share of the data folder if `usesFolder` says that it uses it. Throws
 * `BadConfiguration` or `BadDataFile`.
 */
export async function beginPart(name: string, usesFolder: (config: Config) => boolean): Promise<Part> {
  const config = readConfig();
  assertShared(config);
  const log = pino({ name, level: 'info' }, pino.destination(2));
  const { metrics, countFault } = processMetrics();
  const lock = usesFolder(config) ? await joinDataFolder(config) : undefined;
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

async function joinDataFolder({ dataFolder }: Config): Promise<DataFolderLock> {
  prepareDataFolder(dataFolder);
  for (let waited = 0; waited <= lockPatience; waited += 100) {
    const lock = shareDataFolder(dataFolder);
    if (lock !== undefined) return lock;
    await systemTimer.sleep(100);
  }
  throw new BadConfiguration(
    `The data folder ${dataFolder} is in use by a server that has everything in one process: stop that one, or set WAYBILL_DATA to another folder.`,
  );
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
