import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { BadConfiguration, BadDataFile } from '@waybill/shared-kernel/errors.js';
import { keyStoreContract } from '@waybill/shared-kernel/ports/keys.contract.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { seededRandomness } from '../../clock/seeded.js';
import { systemRandomness } from '../../clock/system.js';
import { Database } from '../../sqlite/database.js';
import { asKeyIsWrapped, rotationContract } from '../testing/rotation.contract.js';
import { openSqliteKeyStore } from './key-store.js';

const root = mkdtempSync(join(tmpdir(), 'waybill-keys-'));
let folder = root;

afterAll(() => {
  rmSync(root, { recursive: true });
});

beforeEach(() => {
  folder = mkdtempSync(join(root, 'keys-'));
});

/** Of a file that is opened beside its store. */
const anySchema = { applicationId: 0, version: 0, migrate: () => undefined };

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function open(masterKeyText?: string): KeyStore {
  return openSqliteKeyStore({
    file: join(folder, 'keys.sqlite'),
    masterKeyFile: join(folder, 'master.key'),
    masterKeyText,
    randomness: systemRandomness,
  });
}

keyStoreContract('sqlite', { open: () => Promise.resolve(open()) });

rotationContract('sqlite', () => {
  const own = mkdtempSync(join(root, 'rotated-'));
  return { kind: 'sqlite', file: join(own, 'keys.sqlite'), masterKeyFile: join(own, 'master.key') };
});

test('a key that is to be destroyed between being read and being stored by a rotation waits until it is done', async () => {
  const [previousMasterKeyText, masterKeyText] = [systemRandomness.bytes(32), systemRandomness.bytes(32)].map(text);
  const old = open(previousMasterKeyText);
  await old.create('somebody');
  const other = new Database(join(folder, 'keys.sqlite'), { what: 'test', schema: anySchema });
  const destroy = (): void => {
    expect(() => other.exec("UPDATE keys SET wrapped = NULL WHERE subject = 'somebody'")).toThrow('is locked');
  };
  const place = { file: join(folder, 'keys.sqlite'), masterKeyFile: join(folder, 'master.key') };
  // What a rotation wraps first is the proof.
  const keys = openSqliteKeyStore({
    ...place,
    masterKeyText,
    previousMasterKeyText,
    randomness: asKeyIsWrapped(destroy, 1),
  });
  expect(await keys.rotate()).toEqual({ wrappedAnew: 1 });
  await old.destroy('somebody');
  expect(await keys.find('somebody')).toBeUndefined();
  other.close();
  await Promise.all([old.close(), keys.close()]);
});

test('a file of the version before goes on', async () => {
  const keys = open();
  const key = await keys.create('somebody');
  await keys.close();
  const file = new Database(join(folder, 'keys.sqlite'), { what: 'test', schema: anySchema });
  file.exec('DROP TABLE erased_up_to; PRAGMA user_version = 1');
  file.close();
  const again = open();
  expect(await again.find('somebody')).toEqual(key);
  expect(await again.erasedUpTo()).toBeUndefined();
  await again.close();
});

describe('the master key', () => {
  test('is made on first use, readable by its user alone, with no draft beside it', async () => {
    await open().close();
    const file = join(folder, 'master.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(Buffer.from(readFileSync(file, 'utf8'), 'base64')).toHaveLength(32);
    expect(readdirSync(folder).filter((name) => name.startsWith('master.key'))).toEqual(['master.key']);
  });

  test('may be given instead, and then no file is made', async () => {
    const given = text(systemRandomness.bytes(32));
    const keys = open(given);
    const key = await keys.create('somebody');
    await keys.close();
    expect(existsSync(join(folder, 'master.key'))).toBe(false);
    const again = open(given);
    expect(await again.find('somebody')).toEqual(key);
    await again.close();
  });

  test.each([
    '',
    ' ',
    'short',
    text(seededRandomness('a').bytes(31)),
    text(seededRandomness('a').bytes(33)),
    '!'.repeat(44),
  ])('given as %j is refused in a sentence that does not repeat it, unless it is empty', async (given) => {
    if (given === '') {
      await open(given).close();
      return;
    }
    expect(() => open(given)).toThrow(
      new BadConfiguration('WAYBILL_MASTER_KEY is not a key; it takes 32 bytes as base64.'),
    );
  });

  test('that is another is refused', async () => {
    await open().close();
    expect(() => open(text(systemRandomness.bytes(32)))).toThrow(BadDataFile);
    expect(() => open(text(systemRandomness.bytes(32)))).toThrow(
      `The master key of WAYBILL_MASTER_KEY is not the one that wraps the keys in ${join(folder, 'keys.sqlite')}. Give the one that does.`,
    );
  });

  test('that is lost is not made anew', async () => {
    await open().close();
    const file = join(folder, 'master.key');
    rmSync(file);
    expect(() => open()).toThrow(
      `${file} is lost, and without it ${join(folder, 'keys.sqlite')} cannot be read. Put it back, or set WAYBILL_MASTER_KEY.`,
    );
    expect(existsSync(file)).toBe(false);
  });

  test('in a damaged file is refused', () => {
    const file = join(folder, 'master.key');
    writeFileSync(file, 'half a k');
    expect(() => open()).toThrow(`${file} holds no master key. Put back the one that was there.`);
  });

  test('of several that start at once is one', async () => {
    const source = new URL('testing/create-key.js', import.meta.url);
    const keys = await Promise.all(
      Array.from(
        { length: 6 },
        () =>
          new Promise<string>((resolve, reject) => {
            const worker = new Worker(source, { workerData: folder, execArgv: [] });
            worker.once('message', resolve);
            worker.once('error', reject);
          }),
      ),
    );
    expect(new Set(keys).size).toBe(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('master.key'))).toEqual(['master.key']);
  });
});

describe('a destroyed key', () => {
  /** Every byte that the store keeps. */
  const kept = (): Buffer =>
    Buffer.concat(
      readdirSync(folder)
        .filter((name) => name.startsWith('keys.sqlite'))
        .map((name) => readFileSync(join(folder, name))),
    );

  test('leaves no byte of itself in the files, whatever was written around it', async () => {
    /** The nonce stands before each wrapped key and tells it from all others. */
    const nonces: Buffer[] = [];
    const randomness = {
      ...systemRandomness,
      bytes: (length: number): Uint8Array => {
        const bytes = systemRandomness.bytes(length);
        if (length === 12) nonces.push(Buffer.from(bytes));
        return bytes;
      },
    };
    const wrappedBy = new Map<string, Buffer>();
    const keys = openSqliteKeyStore({
      file: join(folder, 'keys.sqlite'),
      masterKeyFile: join(folder, 'master.key'),
      randomness,
    });
    const subjects = Array.from({ length: 400 }, (_, index) => `${(index * 7919) % 1000}-subject-${index}`);
    for (const subject of subjects) {
      await keys.create(subject);
      wrappedBy.set(subject, nonces.at(-1)!);
    }
    const full = kept();
    expect(subjects.filter((subject) => !full.includes(wrappedBy.get(subject)!))).toEqual([]);
    const destroyed = subjects.filter((_, index) => index % 3 === 0);
    for (const subject of destroyed) await keys.destroy(subject);
    const bytes = kept();
    expect(destroyed.filter((subject) => bytes.includes(wrappedBy.get(subject)!))).toEqual([]);
    const others = subjects.filter((_, index) => index % 3 !== 0);
    expect(others.filter((subject) => !bytes.includes(wrappedBy.get(subject)!))).toEqual([]);
    await keys.close();
  });
});
