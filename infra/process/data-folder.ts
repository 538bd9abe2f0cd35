import { accessSync, constants, mkdirSync } from 'node:fs';
import { BadConfiguration, BadDataFile } from '@waybill/shared-kernel/errors.js';
import { systemTimer } from '../clock/system.js';
import { dataFiles } from './config.js';
import { isBusy, openDatabase, type Database } from '../sqlite/database.js';

/** Held by who uses a data folder; the system drops it however the process ends. */
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
 * Takes a data folder for one server alone. `undefined`: another has it, or processes share it. A lock of the system
 * (an open transaction) ends with its process, where a file with a process id would stay.
 */
export function lockDataFolder(folder: string): DataFolderLock | undefined {
  const door = shutDoor(folder);
  if (door === undefined) return undefined;
  const shared = openProcesses(folder);
  try {
    // Nobody comes in while the door is shut, so one look is enough.
    shared.exec('BEGIN EXCLUSIVE; ROLLBACK');
    return door;
  } catch (error) {
    door.release();
    if (isBusy(error)) return undefined;
    throw error;
  } finally {
    shared.close();
  }
}

/** Takes a data folder together with other processes. `undefined`: one server has it alone. */
export function shareDataFolder(folder: string): DataFolderLock | undefined {
  const door = shutDoor(folder);
  if (door === undefined) return undefined;
  try {
    const shared = openProcesses(folder);
    shared.exec('BEGIN; SELECT * FROM sqlite_schema');
    return {
      release: () => {
        shared.exec('ROLLBACK');
        shared.close();
      },
    };
  } finally {
    door.release();
  }
}

/**
 * Makes a data folder if need be, and takes it for one server alone. Throws `BadConfiguration` where another has it, or
 * `BadDataFile`.
 */
export function occupyDataFolder(folder: string): Promise<DataFolderLock> {
  return patiently(lockDataFolder, folder, 'another Waybill server');
}

/** The same together with other processes. */
export function joinDataFolder(folder: string): Promise<DataFolderLock> {
  return patiently(shareDataFolder, folder, 'a server that has everything in one process');
}

/** A command line that looks whether a server runs has the folder for a moment; milliseconds. */
const answerTimeoutMs = 1_000;

async function patiently(
  take: (folder: string) => DataFolderLock | undefined,
  folder: string,
  holder: string,
): Promise<DataFolderLock> {
  prepareDataFolder(folder);
  for (let waited = 0; waited <= answerTimeoutMs; waited += 100) {
    const lock = take(folder);
    if (lock !== undefined) return lock;
    await systemTimer.sleep(100);
  }
  throw new BadConfiguration(
    `The data folder ${folder} is in use by ${holder}: stop that one, or set WAYBILL_DATA to another folder.`,
  );
}

/** Held by whoever has the folder alone for as long as it has it; by those who share it, while they come in. */
function shutDoor(folder: string): DataFolderLock | undefined {
  const door = openDatabase(dataFiles(folder).lock, { what: 'data folder', schema });
  try {
    door.exec('BEGIN IMMEDIATE');
  } catch (error) {
    door.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return {
    release: () => {
      door.exec('ROLLBACK');
      door.close();
    },
  };
}

/** In this journal mode a transaction that reads keeps out one that is exclusive. */
function openProcesses(folder: string): Database {
  return openDatabase(dataFiles(folder).processes, { what: 'data folder', schema, journal: 'DELETE' });
}
