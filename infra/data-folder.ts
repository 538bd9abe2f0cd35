import { accessSync, constants, mkdirSync } from 'node:fs';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { dataFiles } from './config.js';
import { isBusy, openDatabase } from './sqlite/database.js';

/** Held by the one server of a data folder; the system drops it however the process ends. */
export interface DataFolderLock {
  release(): void;
}

const schema = { applicationId: 0x5742_4c4b, version: 1, migrate: () => undefined };

/** Makes the folder if need be. Throws `BadDataFile` where that, or writing in it, cannot be done. */
export function prepareDataFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new BadDataFile(
      `The data folder ${folder} cannot be made or written. Give this user the right to, or set WAYBILL_DATA to another folder.`,
      { cause },
    );
  }
}

/**
 * Takes the lock by which a data folder has one server at a time: an open write transaction on `lock.sqlite`, because
 * a lock of the system ends with its process where a file with a process id would stay. `undefined`: another has it.
 */
export function lockDataFolder(folder: string): DataFolderLock | undefined {
  const database = openDatabase(dataFiles(folder).lock, { what: 'data folder', schema });
  try {
    database.exec('BEGIN IMMEDIATE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return {
    release: () => {
      database.exec('ROLLBACK');
      database.close();
    },
  };
}
