import { asError } from '@waybill/shared-kernel/as-error.js';
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles, type Config } from '@waybill/infra/process/config.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { masterKeySource } from '@waybill/infra/process/engines.js';
import { assertMasterKeyFits, wrappedKeysIn } from '@waybill/infra/keys/sqlite/key-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { checkDatabase } from '@waybill/infra/sqlite/copy-database.js';
import { bad, good, skipped, warning, type Check } from './check.js';

/** What is seen of a folder; `undefined` where there is none yet. */
export interface SeenFolder {
  readonly path: string;
  readonly isFolder: boolean;
  /** This user may make and change files in it. */
  readonly isWritable: boolean;
  readonly mode: number;
  readonly isOurs: boolean;
  readonly freeBytes: number;
}

export interface SeenFile {
  readonly path: string;
  readonly mode: number;
  readonly isOurs: boolean;
}

const megabyte = 1024 * 1024;
const gigabyte = 1024 * megabyte;
/** Files above it are opened, and not read from their beginning to their end. */
const readInFull = 64 * megabyte;

/** The folder of the embedded files, and each file in it. */
export function checkDataFolder(config: Config): readonly Check[] {
  const { dataFolder } = config;
  const folder = seeFolder(dataFolder);
  if (folder === undefined) return [judgeMissingFolder(dataFolder, seeFolder(nearestFolder(dataFolder)))];
  const checks = judgeFolder(folder);
  if (!folder.isFolder) return checks;
  const files = dataFiles(dataFolder);
  return [
    ...checks,
    ...[files.masterKey, files.developmentKey, files.webhookSecret].flatMap((path) => judgeSecret(seeFile(path))),
    ...(config.eventStore.kind === 'sqlite'
      ? checkFile('log file', files.log, (path) => openLog(path, { readonly: true }).close())
      : []),
    ...(config.readStore.kind === 'sqlite'
      ? checkFile('read models file', files.readModels, (path) => {
          void openSqliteReadStore(path, { readonly: true }).close();
        })
      : []),
    ...checkFile('snapshots file', files.snapshots),
    ...checkFile('keys file', files.keys, (path) => {
      wrappedKeysIn(path);
      assertMasterKeyFits({ file: path, ...masterKeySource(config, systemRandomness) });
    }),
  ];
}

export function judgeMissingFolder(path: string, parent: SeenFolder | undefined): Check {
  if (parent?.isFolder === true && parent.isWritable) {
    return good('data folder', `${path} is not there yet; the first start makes it.`);
  }
  return bad(
    'data folder',
    `${path} is not there and cannot be made.`,
    `Give this user the right to write to ${parent?.path ?? dirname(path)}, or set WAYBILL_DATA to another folder.`,
  );
}

export function judgeFolder(folder: SeenFolder): readonly Check[] {
  const { path, isFolder, isWritable, mode, isOurs, freeBytes } = folder;
  if (!isFolder) return [bad('data folder', `${path} is no folder.`, 'Set WAYBILL_DATA to a folder.')];
  if (!isWritable) {
    return [
      bad(
        'data folder',
        `${path} cannot be written by this user.`,
        `Give this user the right to (chmod u+rwx ${path}), or set WAYBILL_DATA to another folder.`,
      ),
    ];
  }
  return [
    (mode & 0o077) === 0
      ? good('data folder', `${path}, for this user alone`)
      : warning('data folder', `${path} is open to other users of this machine.`, `chmod 700 ${path}`),
    ...(isOurs ? [] : [warning('data folder owner', `${path} is of another user.`, 'Run Waybill as its owner.')]),
    judgeDisk(freeBytes),
  ];
}

function judgeDisk(freeBytes: number): Check {
  const free =
    freeBytes >= gigabyte ? `${(freeBytes / gigabyte).toFixed(1)} GiB` : `${Math.floor(freeBytes / megabyte)} MiB`;
  const mend = 'Make room: without it nothing more can be recorded.';
  if (freeBytes < 100 * megabyte) return bad('disk', `Only ${free} are free for the data folder.`, mend);
  if (freeBytes < gigabyte) return warning('disk', `Only ${free} are free for the data folder.`, mend);
  return good('disk', `${free} free`);
}

/** A key that others can read is no secret. */
export function judgeSecret(file: SeenFile | undefined): readonly Check[] {
  if (file === undefined) return [];
  const { path, mode, isOurs } = file;
  const name = `permissions of ${path.slice(dirname(path).length + 1)}`;
  if ((mode & 0o077) !== 0) {
    const who = (mode & 0o007) === 0 ? 'its group' : 'everybody on this machine';
    return [bad(name, `${path} is open to ${who} (mode ${(mode & 0o777).toString(8)}).`, `chmod 600 ${path}`)];
  }
  if (!isOurs)
    return [bad(name, `${path} is of another user.`, 'Run Waybill as its owner, or give the file to this user.')];
  return [good(name, 'this user alone')];
}

function checkFile(name: string, path: string, open?: (path: string) => void): readonly Check[] {
  if (!existsSync(path)) return [skipped(name, `${path} is not there yet.`)];
  try {
    open?.(path);
    const { size } = statSync(path);
    if (size > readInFull) return [good(name, `${path}, ${Math.round(size / megabyte)} MiB; not read in full`)];
    checkDatabase(path);
    return [good(name, `${path}, whole`)];
  } catch (error) {
    const said = asError(error).message;
    return [bad(name, said, mendOf(name))];
  }
}

function mendOf(name: string): string {
  return name === 'read models file' || name === 'snapshots file'
    ? 'Stop the server and delete it: it is rebuilt from the log.'
    : 'Do what it says, or restore a backup (waybill restore).';
}

function seeFolder(path: string): SeenFolder | undefined {
  if (!existsSync(path)) return undefined;
  const { mode, uid } = statSync(path);
  const isFolder = statSync(path).isDirectory();
  const { bavail, bsize } = statfsSync(path);
  return { path, isFolder, isWritable: isWritable(path, mode), mode, isOurs: isOurs(uid), freeBytes: bavail * bsize };
}

function seeFile(path: string): SeenFile | undefined {
  if (!existsSync(path)) return undefined;
  const { mode, uid } = statSync(path);
  return { path, mode, isOurs: isOurs(uid) };
}

/** The superuser may write what its owner may not: what is marked so is taken at its word. */
function isWritable(path: string, mode: number): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return (mode & 0o200) !== 0;
  } catch {
    return false;
  }
}

/** Systems without user ids have no modes either. */
function isOurs(uid: number): boolean {
  return process.getuid === undefined || process.getuid() === uid;
}

function nearestFolder(path: string): string {
  const parent = dirname(path);
  return parent === path || existsSync(parent) ? parent : nearestFolder(parent);
}
