import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { dataFiles, type Config } from '../process/config.js';
import { makeSecretFile, readSecretFile } from '../keys/secret-file.js';

/**
 * What the gateway and we sign webhooks with: `WAYBILL_WEBHOOK_SECRET`, else one that is made once in the data folder,
 * where the built-in simulator finds it too. Throws `BadDataFile`.
 */
export function webhookSecretOf(
  { webhookSecret, dataFolder }: Pick<Config, 'webhookSecret' | 'dataFolder'>,
  randomness: Randomness,
): string {
  if (webhookSecret !== undefined) return webhookSecret;
  const file = dataFiles(dataFolder).webhookSecret;
  const found = readSecretFile(file) ?? made(file, randomness);
  if (!found) throw new BadDataFile(`${file} holds no secret. Remove it, and another is made.`);
  return found;
}

function made(file: string, randomness: Randomness): string | undefined {
  makeSecretFile(file, Buffer.from(randomness.bytes(32)).toString('base64'), randomness);
  return readSecretFile(file);
}
