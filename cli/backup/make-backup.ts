import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BadDataFile, InvalidInput, StreamCut } from '@waybill/shared-kernel/errors.js';
import type { StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { SqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { checkDatabase, copyDatabase } from '@waybill/infra/sqlite/copy-database.js';
import { closing } from '../stores/closing.js';
import { faultsOfFile } from '../stores/log-faults.js';
import { describeFile, keysFolder, manifestName, type LogFault, type Manifest } from './manifest.js';
import { syncFolder } from './sync-folder.js';

const keysNote = `These keys open the personal data in the backup beside them.
Keep this folder apart from it, under lock; put it back here before you restore.
Once a person's data is erased, make a new backup and destroy the keys of all older ones:
the new keys open those backups too, but for who was erased (waybill restore --keys).
`;

interface Part {
  readonly from: string;
  /** In the backup. */
  readonly path: string;
  readonly isDatabase: boolean;
}

/**
 * The parts in the order in which they are copied. Read models come before the log, so in the copy they are never
 * ahead of it; keys come after it, so the copy has every key that its events need, and the simulated gateway's ledger
 * comes after it too, so the copy has all the money that they tell of.
 */
function partsOf(dataFolder: string): readonly Part[] {
  const files = dataFiles(dataFolder);
  const database = (from: string, folder = ''): Part => ({
    from,
    path: `${folder}${basename(from)}`,
    isDatabase: true,
  });
  const plain = (from: string): Part => ({ from, path: `${keysFolder}/${basename(from)}`, isDatabase: false });
  return [
    database(files.readModels),
    database(files.log),
    database(files.paymentLedger),
    database(files.keys, `${keysFolder}/`),
    plain(files.masterKey),
    plain(files.developmentKey),
  ];
}

/**
 * Copies a data folder, in use or not, into a new or empty folder, and checks the copy. Throws `InvalidInput` where
 * the folder holds something.
 */
export async function makeBackup(
  dataFolder: string,
  folder: string,
  clock: WallClock,
  onProgress: (done: number, total: number) => void,
): Promise<Manifest> {
  const { log } = dataFiles(dataFolder);
  if (!existsSync(log)) {
    throw new BadDataFile(`There is no log in ${dataFolder}. Set WAYBILL_DATA to the folder that has one.`);
  }
  const createdAt = timestamp(clock);
  await openEmpty(folder);
  const parts = partsOf(dataFolder).filter(({ from }) => existsSync(from));
  const files = [];
  for (const [index, { from, path, isDatabase }] of parts.entries()) {
    const to = join(folder, path);
    if (isDatabase) {
      copyDatabase(from, to);
      checkDatabase(to);
    } else {
      await copyFile(from, to);
    }
    await chmod(to, 0o600);
    files.push(await describeFile(folder, path));
    onProgress(index + 1, parts.length);
  }
  const manifest: Manifest = {
    format: 1,
    createdAt,
    log: await describeLog(join(folder, basename(log)), clock),
    files,
  };
  await writeFile(join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true });
  await syncFolder(join(folder, keysFolder));
  await syncFolder(folder);
  return manifest;
}

async function openEmpty(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const [something] = await readdir(folder);
    if (something !== undefined) {
      throw new InvalidInput([], `${folder} is not empty (it has ${something}). Name a new folder for the backup.`);
    }
    await mkdir(join(folder, keysFolder), { mode: 0o700 });
    await writeFile(join(folder, keysFolder, 'README.txt'), keysNote);
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw new InvalidInput([], `${folder} cannot be made or written. Name a folder in which this user may write.`);
  }
}

async function describeLog(file: string, clock: WallClock): Promise<Manifest['log']> {
  const head = await closing(new SqliteEventStore(openLog(file, { readonly: true }), { clock }), (log) => log.head());
  const faults = await faultsOfFile(file, clock);
  return { position: String(head), ...(faults.length > 0 && { faults: faults.map(logFault) }) };
}

function logFault(fault: StreamFault): LogFault {
  const { stream, message } = fault;
  if (fault instanceof StreamCut) return { stream, message };
  return { stream, revision: fault.revision, position: String(fault.position), message };
}
