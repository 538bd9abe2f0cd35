import { usesDataFolder, type Config } from '@waybill/infra/process/config.js';
import { lockDataFolder } from '@waybill/infra/process/data-folder.js';

/** Whether a server uses the folder now. */
export function isServed(folder: string): boolean {
  const lock = lockDataFolder(folder);
  lock?.release();
  return lock === undefined;
}

/** Whether it is certain that no process of this configuration runs: without a file in common nobody can tell. */
export function isAlone(config: Config): boolean {
  return usesDataFolder(config) && !isServed(config.dataFolder);
}
