import { existsSync } from 'node:fs';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { dataFiles } from '@waybill/infra/config.js';
import { lockDataFolder, prepareDataFolder } from '@waybill/infra/data-folder.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { projections } from '../catalogue.js';
import { liveProjections } from '../rebuild/change-versions.js';

/**
 * The embedded stores of a data folder, for one verb. A server may have them open too: each of these files takes any
 * number of processes.
 */

/** Runs work on the log of a folder that has one. Throws `BadDataFile` where there is none: asking makes no folder. */
export async function withLog<T>(folder: string, clock: Clock, work: (store: EventStore) => Promise<T>): Promise<T> {
  const { log } = dataFiles(folder);
  if (!existsSync(log)) {
    throw new BadDataFile(
      `There is no log in ${folder}. Start the server (npm start) or import orders first, or set WAYBILL_DATA to the folder that has one.`,
    );
  }
  return closing(openSqliteEventStore(log, { clock }), work);
}

/** As `withLog`, in a folder that is made if need be. */
export async function withNewLog<T>(folder: string, clock: Clock, work: (store: EventStore) => Promise<T>): Promise<T> {
  prepareDataFolder(folder);
  return closing(openSqliteEventStore(dataFiles(folder).log, { clock }), work);
}

/** Runs work on the read models of a folder, in the versions that are read now. */
export async function withReadModels<T>(
  folder: string,
  work: (readStore: ReadStore, live: readonly Projection[]) => Promise<T>,
): Promise<T> {
  return closing(openSqliteReadStore(dataFiles(folder).readModels), async (readStore) =>
    work(readStore, await liveProjections(projections, readStore)),
  );
}

/** Whether a server uses the folder now. */
export function isServed(folder: string): boolean {
  const lock = lockDataFolder(folder);
  lock?.release();
  return lock === undefined;
}

async function closing<Store extends { close(): Promise<void> }, T>(
  store: Store,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
