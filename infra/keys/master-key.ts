import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { BadConfiguration, BadDataFile } from '@waybill/shared-kernel/errors.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';

/** Length of a master key in bytes. */
const masterKeyLength = 32;

function decode(text: string): Uint8Array | undefined {
  const base64 = text.trim();
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length === masterKeyLength && bytes.toString('base64') === base64 ? bytes : undefined;
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** The master key of a variable. Throws `BadConfiguration`, whose message does not repeat the text. */
export function masterKeyOfText(text: string, variable = 'WAYBILL_MASTER_KEY'): Uint8Array {
  const key = decode(text);
  if (key === undefined) throw new BadConfiguration(`${variable} is no key; it takes 32 bytes as base64.`);
  return key;
}

/** The master key that stands in a file as base64, `undefined` where there is no file. Throws `BadDataFile`. */
export function readMasterKey(file: string): Uint8Array | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new BadDataFile(`${file} cannot be read. Give this user the right to read it.`, { cause: error });
  }
  const key = decode(text);
  if (key === undefined) throw new BadDataFile(`${file} holds no master key. Put back the one that was there.`);
  return key;
}

/**
 * Makes a master key in a file that only this user may read, whole or not at all. Where several processes do so at
 * once one wins, and all get its key. Throws `BadDataFile`.
 */
export function makeMasterKey(file: string, randomness: Randomness): Uint8Array {
  const draft = `${file}.${randomness.uuid()}`;
  try {
    const handle = openSync(draft, 'wx', 0o600);
    try {
      writeSync(handle, `${Buffer.from(randomness.bytes(masterKeyLength)).toString('base64')}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    linkSync(draft, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') {
      throw new BadDataFile(`${file} cannot be written. Give this user the right to write to its folder.`, {
        cause: error,
      });
    }
  } finally {
    rmSync(draft, { force: true });
  }
  const key = readMasterKey(file);
  if (key === undefined) throw new BadDataFile(`${file} was removed as it was made. Start again.`);
  return key;
}
