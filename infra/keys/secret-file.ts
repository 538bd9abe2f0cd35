import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import type { UuidSource } from '@waybill/shared-kernel/ports/clock.js';

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** What a file holds, without the end of its line; `undefined` where there is no file. Throws `BadDataFile`. */
export function readSecretFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new BadDataFile(`${file} cannot be read. Give this user the right to read it.`, { cause: error });
  }
}

/**
 * Makes a file of one line that only this user may read, whole or not at all. A file that is there already stays as it
 * is: where several processes make it at once one wins. Throws `BadDataFile`.
 */
export function makeSecretFile(file: string, line: string, randomness: UuidSource): void {
  const draft = `${file}.${randomness.uuid()}`;
  try {
    const handle = openSync(draft, 'wx', 0o600);
    try {
      writeSync(handle, `${line}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    linkSync(draft, file);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    throw new BadDataFile(`${file} cannot be written. Give this user the right to write to its folder.`, {
      cause: error,
    });
  } finally {
    rmSync(draft, { force: true });
  }
}
