import { BadConfiguration, BadDataFile } from '@waybill/shared-kernel/errors.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { makeSecretFile, readSecretFile } from './secret-file.js';

/** Length of a master key in bytes. */
const masterKeyLength = 32;

function decode(text: string): Uint8Array | undefined {
  const base64 = text.trim();
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length === masterKeyLength && bytes.toString('base64') === base64 ? bytes : undefined;
}

/** The master key of a variable. Throws `BadConfiguration`, whose message does not repeat the text. */
export function masterKeyOfText(text: string, variable = 'WAYBILL_MASTER_KEY'): Uint8Array {
  const key = decode(text);
  if (key === undefined) throw new BadConfiguration(`${variable} is not a key; it takes 32 bytes as base64.`);
  return key;
}

/** The master key that stands in a file as base64, `undefined` where there is no file. Throws `BadDataFile`. */
export function readMasterKey(file: string): Uint8Array | undefined {
  const text = readSecretFile(file);
  if (text === undefined) return undefined;
  const key = decode(text);
  if (key === undefined) throw new BadDataFile(`${file} holds no master key. Put back the one that was there.`);
  return key;
}

/**
 * Makes a master key in a file that only this user may read. Where several processes do so at once one wins, and all
 * get its key. Throws `BadDataFile`.
 */
export function makeMasterKey(file: string, randomness: Randomness): Uint8Array {
  makeSecretFile(file, Buffer.from(randomness.bytes(masterKeyLength)).toString('base64'), randomness);
  const key = readMasterKey(file);
  if (key === undefined) throw new BadDataFile(`${file} was removed as it was made. Start again.`);
  return key;
}
