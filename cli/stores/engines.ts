import { statSync } from 'node:fs';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { dataFiles, usesDataFolder, type Config } from '@waybill/infra/process/config.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { openEventStore, openReadStore } from '@waybill/infra/process/engines.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { closing } from './closing.js';

// The stores of a configuration, files of its data folder or servers, for one verb. Others may have them open too: each
// of the files takes any number of processes.

/** Runs work on a log that is there. Throws `BadDataFile` where the folder has none: asking makes no folder. */
export async function withLog<T>(
  config: Config,
  clock: WallClock,
  work: (store: EventStore) => Promise<T>,
): Promise<T> {
  const { dataFolder, eventStore } = config;
  if (eventStore.kind === 'sqlite') {
    try {
      statSync(dataFiles(dataFolder).log);
    } catch (error) {
      throw new BadDataFile(whyNoLog(dataFolder, error as NodeJS.ErrnoException), { cause: error });
    }
  }
  return closing(openEventStore(config, { clock }), work);
}

/** `fault`: of looking for the file. */
export function whyNoLog(dataFolder: string, { code }: Pick<NodeJS.ErrnoException, 'code'>): string {
  if (code === 'EACCES' || code === 'EPERM') {
    return `${dataFolder} may not be read by this user: run this as the user that the server runs as, or set WAYBILL_DATA to another folder.`;
  }
  return `There is no log in ${dataFolder}. Start the server (npm start) or import orders first, or set WAYBILL_DATA to the folder that has one.`;
}

/** As `withLog`, in a folder that is made if need be. */
export async function withNewLog<T>(
  config: Config,
  clock: WallClock,
  work: (store: EventStore) => Promise<T>,
): Promise<T> {
  if (usesDataFolder(config)) prepareDataFolder(config.dataFolder);
  return closing(openEventStore(config, { clock }), work);
}

/** Runs work on the read models, in the versions that are read now. */
export async function withReadModels<T>(
  config: Config,
  work: (readStore: ReadStore, live: readonly Projection[]) => Promise<T>,
): Promise<T> {
  return closing(openReadStore(config), async (readStore) =>
    work(readStore, await liveProjections(projections, readStore)),
  );
}

/** Runs work on the log and the read models. Throws `BadDataFile` without a log. */
export function withEngines<T>(
  config: Config,
  clock: WallClock,
  work: (store: EventStore, readStore: ReadStore) => Promise<T>,
): Promise<T> {
  return withLog(config, clock, (events) => withReadModels(config, (readStore) => work(events, readStore)));
}
