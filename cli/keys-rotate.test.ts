import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { openSqliteKeyStore } from '@waybill/infra/keys/sqlite/key-store.js';
import { serviceSubject } from '@waybill/shared-kernel/ports/keys.js';
import { Waybill } from './testing/waybill.js';

let waybill: Waybill;

beforeEach(() => {
  waybill = new Waybill();
});

afterEach(() => {
  waybill.remove();
});

/** Of a customer, and of the service itself. */
async function keysOfAll(masterKeyText?: string): Promise<readonly (Uint8Array | undefined)[]> {
  const { keys: file, masterKey: masterKeyFile } = dataFiles(waybill.dataFolder);
  const keys = openSqliteKeyStore({ file, masterKeyFile, masterKeyText, randomness: systemRandomness });
  const all = [await keys.create('anna'), await keys.create(serviceSubject)];
  await keys.close();
  return all;
}

test('the master key of the data folder gives way to another, and is needed no more when none was left', async () => {
  prepareDataFolder(waybill.dataFolder);
  const before = await keysOfAll();
  const previous = readFileSync(dataFiles(waybill.dataFolder).masterKey, 'utf8').trim();
  const present = Buffer.from(systemRandomness.bytes(32)).toString('base64');
  waybill.environment = { WAYBILL_MASTER_KEY: present, WAYBILL_MASTER_KEY_PREVIOUS: previous };
  expect(await waybill.json('keys', 'rotate')).toEqual({ wrappedAnew: 2 });
  expect(await waybill.run('keys', 'rotate')).toEqual({
    code: 0,
    stdout: 'None was left: every key is wrapped by WAYBILL_MASTER_KEY.\n',
    stderr: '',
  });
  expect(await keysOfAll(present)).toEqual(before);
  await expect(keysOfAll()).rejects.toThrow('is not the one that wraps the keys');
});

test('without the previous one it says so, and does nothing', async () => {
  const { code, stderr } = await waybill.run('keys', 'rotate');
  expect(code).toBe(2);
  expect(stderr).toBe(
    'WAYBILL_MASTER_KEY_PREVIOUS is not set; it takes the master key that the keys are wrapped by until now.\n',
  );
});
