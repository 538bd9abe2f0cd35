import { existsSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import { dataFiles } from '@waybill/infra/config.js';
import { lockDataFolder, prepareDataFolder } from '@waybill/infra/data-folder.js';
import { checkDatabase } from '@waybill/infra/sqlite/copy-database.js';
import { checkFile, readManifest, type Manifest, type ManifestFile } from './manifest.js';
import { syncFolder } from './sync-folder.js';

/** Where files wait until all of them are there. */
const waitingFolder = '.restoring';

/**
 * Puts a backup into an empty data folder, after checking all of it. Nothing appears under its name before everything
 * is on disk. Throws `InvalidInput` where the data folder is in use or holds something, `RuleViolated` and
 * `BadDataFile` where the backup is not whole.
 */
export async function restoreBackup(
  folder: string,
  dataFolder: string,
  onProgress: (done: number, total: number) => void,
): Promise<Manifest> {
  const manifest = await readManifest(folder);
  prepareDataFolder(dataFolder);
  const lock = lockDataFolder(dataFolder);
  if (lock === undefined) {
    throw new InvalidInput([], `A server uses ${dataFolder}. Stop it, or set WAYBILL_DATA to another folder.`);
  }
  try {
    await requireEmpty(dataFolder);
    for (const [index, file] of manifest.files.entries()) {
      await checkFile(folder, file);
      if (file.path.endsWith('.sqlite')) checkDatabase(join(folder, file.path));
      onProgress(index + 1, 2 * manifest.files.length);
    }
    await putIn(folder, dataFolder, manifest.files, (done) =>
      onProgress(manifest.files.length + done, 2 * manifest.files.length),
    );
    return manifest;
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

async function putIn(
  folder: string,
  dataFolder: string,
  files: readonly ManifestFile[],
  onCopied: (done: number) => void,
): Promise<void> {
  const waiting = join(dataFolder, waitingFolder);
  await mkdir(waiting, { mode: 0o700 });
  for (const [index, { path }] of files.entries()) {
    const copy = join(waiting, basename(path));
    await copyFile(join(folder, path), copy);
    const handle = await open(copy, 'r+');
    await handle.sync().finally(() => handle.close());
    onCopied(index + 1);
  }
  for (const { path } of files) await rename(join(waiting, basename(path)), join(dataFolder, basename(path)));
  await rm(waiting, { recursive: true });
  await syncFolder(dataFolder);
}
