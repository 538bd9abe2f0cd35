import { existsSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import type { StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { lockDataFolder, prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { checkDatabase } from '@waybill/infra/sqlite/copy-database.js';
import { eraseAgain } from './erase-again.js';
import { checkFile, isKey, keysFolder, readManifest, type Manifest } from './manifest.js';
import { syncFolder } from './sync-folder.js';

/** Where files wait until all of them are there. */
const waitingFolder = '.restoring';

export interface Restoring {
  /** The backup. */
  readonly folder: string;
  /** The keys of a later backup, in place of its own. */
  readonly keys?: string | undefined;
  readonly dataFolder: string;
  readonly clock: WallClock;
}

export interface Restored {
  readonly manifest: Manifest;
  /** Why nobody can tell whether some customers are erased: see `eraseAgain`. */
  readonly doubted: readonly StreamFault[];
}

/**
 * Puts a backup into an empty data folder, after checking all of it. Whoever is erased by what its log says has no key
 * afterwards, whatever the keys were. Nothing appears under its name before everything is on disk. Throws `InvalidInput`
 * where the data folder is in use or holds something, `RuleViolated` and `BadDataFile` where the backup is not whole.
 */
export async function restoreBackup(
  { folder, keys, dataFolder, clock }: Restoring,
  onProgress: (done: number, total: number) => void,
): Promise<Restored> {
  const manifest = await readManifest(folder);
  const own = keys === undefined ? manifest.files : manifest.files.filter(({ path }) => !isKey(path));
  const files = [...own.map(({ path }) => join(folder, path)), ...(keys === undefined ? [] : await keysIn(keys))];
  prepareDataFolder(dataFolder);
  const lock = lockDataFolder(dataFolder);
  if (lock === undefined) {
    throw new InvalidInput([], `A server uses ${dataFolder}. Stop it, or set WAYBILL_DATA to another folder.`);
  }
  try {
    await requireEmpty(dataFolder);
    for (const file of own) await checkFile(folder, file);
    for (const [index, file] of files.entries()) {
      if (file.endsWith('.sqlite')) checkDatabase(file);
      onProgress(index + 1, 2 * files.length);
    }
    const doubted = await putIn(files, dataFolder, clock, (done) => onProgress(files.length + done, 2 * files.length));
    return { manifest, doubted };
  } finally {
    lock.release();
  }
}

/** But for the locks that this very run has made. */
async function requireEmpty(dataFolder: string): Promise<void> {
  const { lock, processes } = dataFiles(dataFolder);
  const locks = [lock, processes].map((file) => basename(file));
  if (existsSync(join(dataFolder, waitingFolder))) {
    throw new InvalidInput(
      [],
      `${dataFolder} holds a restore that was broken off. Delete what is in it and run this again.`,
    );
  }
  const something = (await readdir(dataFolder)).find((name) => !locks.some((file) => name.startsWith(file)));
  if (something === undefined) return;
  throw new InvalidInput(
    [],
    `${dataFolder} is not empty (it has ${something}). A backup is restored into an empty folder: set WAYBILL_DATA to a new one, or move this one away.`,
  );
}

/** The files of a folder of keys. Throws `InvalidInput` where it is none. */
async function keysIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const { keys, masterKey, developmentKey } = dataFiles(folder);
  if (!names.includes(basename(keys))) {
    throw new InvalidInput([], `${folder} holds no ${basename(keys)}. Name the folder ${keysFolder} of a backup.`);
  }
  return [keys, masterKey, developmentKey].filter((file) => names.includes(basename(file)));
}

async function putIn(
  files: readonly string[],
  dataFolder: string,
  clock: WallClock,
  onCopied: (done: number) => void,
): Promise<readonly StreamFault[]> {
  const waiting = join(dataFolder, waitingFolder);
  await mkdir(waiting, { mode: 0o700 });
  for (const [index, file] of files.entries()) {
    await copyFile(file, join(waiting, basename(file)));
    onCopied(index + 1);
  }
  const doubted = await eraseAgain(dataFiles(waiting), clock);
  for (const file of files) {
    const handle = await open(join(waiting, basename(file)), 'r+');
    await handle.sync().finally(() => handle.close());
  }
  for (const file of files) await rename(join(waiting, basename(file)), join(dataFolder, basename(file)));
  await rm(waiting, { recursive: true });
  await syncFolder(dataFolder);
  return doubted;
}
