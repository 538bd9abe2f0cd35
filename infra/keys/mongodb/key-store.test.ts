import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { BadConfiguration, BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import { keyStoreContract } from '@waybill/shared-kernel/ports/keys.contract.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { MongoClient } from 'mongodb';
import { systemRandomness } from '../../clock/system.js';
import { freePort } from '../../testing/loopback-port.js';
import { describeWithServer, ScratchDatabase } from '../../mongodb/testing/server-under-test.js';
import { wrapKey } from '../key-wrap.js';
import { openAt, type KeyStorePlace } from '../testing/key-store-place.js';
import { asKeyIsWrapped, inAnotherProcess, rotationContract } from '../testing/rotation.contract.js';
import { openSqliteKeyStore, wrappedKeysIn } from '../sqlite/key-store.js';
import { openMongoDbKeyStore, type MongoDbKeyStore, type MongoDbKeyStoreOptions } from './key-store.js';

const folder = mkdtempSync(join(tmpdir(), 'waybill-keys-'));
const opened: KeyStore[] = [];

function open(options: Pick<MongoDbKeyStoreOptions, 'url'> & Partial<MongoDbKeyStoreOptions>): MongoDbKeyStore {
  const keys = openMongoDbKeyStore({
    masterKeyFile: join(folder, 'master.key'),
    randomness: systemRandomness,
    ...options,
  });
  opened.push(keys);
  return keys;
}

const newMasterKey = (): string => Buffer.from(systemRandomness.bytes(32)).toString('base64');

afterEach(() => Promise.all(opened.splice(0).map((keys) => keys.close())));

afterAll(() => rmSync(folder, { recursive: true }));

test('without a server no key is found, made or destroyed', async () => {
  const keys = open({ url: `mongodb://127.0.0.1:${await freePort()}`, tuning: { selectTimeout: 30 } });
  await expect(keys.find('a')).rejects.toThrow(Unavailable);
  await expect(keys.create('a')).rejects.toThrow(Unavailable);
  await expect(keys.destroy('a')).rejects.toThrow(Unavailable);
});

describeWithServer('with a MongoDB server', () => {
  const database = new ScratchDatabase();
  const masterKeyText = newMasterKey();
  afterAll(() => database.dispose());

  const newPlace = (): KeyStorePlace => {
    const own = new ScratchDatabase();
    rotated.push(own);
    return { kind: 'mongodb', url: own.url, masterKeyFile: join(folder, 'none') };
  };
  rotationContract('mongodb', newPlace);
  const rotated: ScratchDatabase[] = [];
  afterAll(() => Promise.all(rotated.map((each) => each.dispose())));

  keyStoreContract('mongodb', {
    open: () => Promise.resolve(openMongoDbKeyStore({ ...source, url: database.url })),
  });

  const source = { masterKeyFile: join(folder, 'none'), masterKeyText, randomness: systemRandomness };

  test('a key that is destroyed between being read and being stored by a rotation is not brought back', async () => {
    const place = newPlace();
    const old = openAt(place, { masterKeyText }, systemRandomness);
    opened.push(old);
    await old.create('somebody');
    const given = { masterKeyText: newMasterKey(), previousMasterKeyText: masterKeyText };
    const destroy = (): void => inAnotherProcess({ place, given, destroy: 'somebody' });
    // What a rotation wraps first is the proof.
    const keys = openAt(place, given, asKeyIsWrapped(destroy, 1));
    opened.push(keys);
    expect(await keys.rotate()).toEqual({ wrappedAnew: 0 });
    expect(await keys.find('somebody')).toBeUndefined();
    expect(await keys.create('somebody')).toBeUndefined();
  });

  describe('the master key', () => {
    const other = new ScratchDatabase();
    afterAll(() => other.dispose());

    test('of several that start at once is one, made in its file', async () => {
      const stores = Array.from({ length: 4 }, () => open({ url: other.url }));
      const keys = await Promise.all(stores.map((store) => store.create('somebody')));
      expect(new Set(keys.map((key) => Buffer.from(key!).toString('hex'))).size).toBe(1);
      expect(readdirSync(folder)).toEqual(['master.key']);
    });

    test('that is another is refused, each time', async () => {
      const keys = open({ url: other.url, masterKeyText: newMasterKey() });
      await expect(keys.find('somebody')).rejects.toThrow(BadDataFile);
      await expect(keys.create('else')).rejects.toThrow('is not the one that wraps the keys in the key store');
    });

    test('that is lost is not made anew', async () => {
      const keys = open({ url: other.url, masterKeyFile: join(folder, 'lost.key') });
      await expect(keys.find('somebody')).rejects.toThrow('lost.key is lost');
      expect(readdirSync(folder)).toEqual(['master.key']);
    });

    test('that is none is refused', async () => {
      await expect(open({ url: other.url, masterKeyText: 'short' }).find('a')).rejects.toThrow(BadConfiguration);
    });
  });

  test('what the database holds of a key opens for its subject alone, and nothing of a destroyed one is left', async () => {
    const keys = open({ ...source, url: database.url });
    const client = new MongoClient(database.url);
    const stored = client.db().collection<{ _id: string; wrapped: unknown }>('keys');
    const key = await keys.create('one');
    const found = await stored.findOne({ _id: 'one' });
    expect(JSON.stringify(found)).not.toContain(Buffer.from(key!).toString('base64').slice(0, 20));
    await stored.insertOne({ _id: 'two', wrapped: found!.wrapped });
    await expect(keys.find('two')).rejects.toThrow('The key of two in the key store is damaged');
    await keys.destroy('one');
    expect(await stored.findOne({ _id: 'one' })).toEqual({ _id: 'one', wrapped: null });
    await client.close();
  });

  test('takes the keys of a SQLite file, those destroyed too, as often as it is asked', async () => {
    const target = new ScratchDatabase();
    const from = { file: join(folder, 'keys.sqlite'), masterKeyFile: join(folder, 'none'), masterKeyText };
    const embedded = openSqliteKeyStore({ ...from, randomness: systemRandomness });
    const subjects = Array.from({ length: 1_100 }, (_, index) => `customer-${index}`);
    const keys = await Promise.all(subjects.map((subject) => embedded.create(subject)));
    await embedded.destroy('customer-1');
    const store = open({ ...source, url: target.url });
    for (let time = 0; time < 2; time += 1) {
      await store.adopt(wrappedKeysIn(from.file));
      expect(await store.find('customer-1')).toBeUndefined();
      for (const index of [0, 499, 500, 1_099]) expect(await store.find(`customer-${index}`)).toEqual(keys[index]);
    }
    await embedded.destroy('customer-0');
    await store.destroy('customer-2');
    await store.adopt(wrappedKeysIn(from.file));
    for (const index of [0, 2]) expect(await store.find(`customer-${index}`)).toBeUndefined();
    await embedded.close();
    await target.dispose();
  });

  test('takes no key of a subject that has another one', async () => {
    const target = new ScratchDatabase();
    const store = open({ ...source, url: target.url });
    await store.create('somebody');
    const other = wrapKey(Buffer.from(masterKeyText, 'base64'), 'somebody', new Uint8Array(32), systemRandomness);
    await expect(store.adopt([{ subject: 'somebody', wrapped: other }])).rejects.toThrow(
      'has another key of somebody already',
    );
    await target.dispose();
  });
});
