import { usesDataFolder, type Config } from '@waybill/infra/config.js';
import { followedLog } from '@waybill/shared-kernel/log-identity.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { isServed, withLog, withReadModels } from './data-folder.js';

/** Runs work on the log and the read models made from it. Throws `BadDataFile` without a log, or where it is another. */
export function withEngines<T>(
  config: Config,
  clock: Clock,
  work: (store: EventStore, readStore: ReadStore) => Promise<T>,
): Promise<T> {
  return withLog(config, clock, (events) =>
    withReadModels(config, (readStore) => work(followedLog(events, readStore), readStore)),
  );
}

/** Whether it is certain that no process of this configuration runs: without a file in common nobody can tell. */
export function isAlone(config: Config): boolean {
  return usesDataFolder(config) && !isServed(config.dataFolder);
}
