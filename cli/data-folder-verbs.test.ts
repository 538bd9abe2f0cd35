import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock, systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { lockDataFolder, prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { appendUnreadable } from '@waybill/infra/event-store/testing/append-unreadable.js';
import { openSqliteKeyStore, wrappedKeysIn } from '@waybill/infra/keys/sqlite/key-store.js';
import { Ledger, type Entry } from '@waybill/infra/payment-gateway/simulator/ledger.js';
import type { Asked } from '@waybill/infra/payment-gateway/simulator/payment.js';
import { Database } from '@waybill/infra/sqlite/database.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { serviceSubject, type KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { manyOrders } from './import/testing/many-orders.js';
import type { Manifest } from './backup/manifest.js';
import { whyNoLog } from './stores/engines.js';
import { Waybill } from './testing/waybill.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

let waybill: Waybill;

beforeEach(() => {
  waybill = new Waybill();
});

afterEach(() => {
  waybill.remove();
});

describe('without a log', () => {
  test.each([
    ['replay', 'order', 'x'],
    ['replay', 'history', '--as-of', '2017-01-01T00:00:00Z'],
    ['audit', 'verify'],
    ['status'],
    ['fulfilment', 'list'],
    ['fulfilment', 'retry', 'o-1', '--reason', 'late'],
    ['rebuild', 'orders'],
    ['backup', './copy'],
  ])('%s says what to do, ends with 3, and makes no folder', async (...words) => {
    const { code, stdout, stderr } = await waybill.run(...words);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^There is no log in .*data\. .*WAYBILL_DATA.*\n$/);
    expect(readdirSync(waybill.scratch)).toEqual([]);
  });

  test('a folder that this user may not read is not said to have none', () => {
    expect(whyNoLog('/data', { code: 'EACCES' })).toMatch(/^\/data may not be read by this user: .*WAYBILL_DATA/);
    expect(whyNoLog('/data', { code: 'ENOENT' })).toMatch(/^There is no log in \/data\. .*WAYBILL_DATA/);
  });

  test('a log that is none: 3, with its name', async () => {
    mkdirSync(waybill.dataFolder);
    const { log } = dataFiles(waybill.dataFolder);
    writeFileSync(log, 'this is no database, and long enough to be looked at');
    const { code, stderr } = await waybill.run('status');
    expect(code).toBe(3);
    expect(stderr).toMatch(log);
    expect(readFileSync(log, 'utf8')).toMatch(/^this is no database/);
  });
});

describe('waybill status', () => {
  test('shows where everything stands, to programs and people', async () => {
    await waybill.importSmall();
    const lag = { position: '43', lagEvents: 0, lagSeconds: 0 };
    const upToDate = { version: 1, previous: null, rebuild: null, quarantined: 0, ...lag };
    expect(await waybill.json('status')).toEqual({
      log: { position: '43' },
      relay: { position: '0', lagEvents: 43, lagSeconds: expect.any(Number) },
      projections: [
        { name: 'orders', ...upToDate, version: 2 },
        { name: 'deliveries', ...upToDate, version: 3 },
        { name: 'products', ...upToDate },
        { name: 'customers', ...upToDate },
      ],
      quarantine: 0,
      suspended: 0,
      fulfilment: { states: {}, overdue: 0, oldest: null },
      queues: null,
      deadLetters: null,
      down: [],
      server: { running: false },
    });
    const { stdout } = await waybill.run('status');
    expect(stdout).toMatch(/orders +version 2 +43 +up to date\n/);
  });

  test('shows what is not projected, while a server has the folder', async () => {
    prepareDataFolder(waybill.dataFolder);
    const lock = lockDataFolder(waybill.dataFolder);
    await waybill.importSmall();
    const status = await waybill.json<{ projections: readonly object[]; server: object }>('status');
    lock?.release();
    expect(status.server).toEqual({ running: true });
    expect(status.projections).toMatchObject([
      { name: 'orders', position: '0', lagEvents: 43 },
      { name: 'deliveries', lagEvents: 13 },
      { name: 'products', position: '43', lagEvents: 0, lagSeconds: 0 },
      { name: 'customers', lagEvents: 0 },
    ]);
  });
});

describe('waybill audit verify', () => {
  test('names each difference and ends with 1', async () => {
    await waybill.importSmall();
    const { readModels } = dataFiles(waybill.dataFolder);
    const file = new Database(readModels, {
      what: 'test',
      schema: { applicationId: 0, version: 0, migrate: () => undefined },
    });
    file.exec(`UPDATE "orders@2" SET "single:status" = 'lost' WHERE key = 'shipped-1'`);
    file.close();
    const { code, stdout } = await waybill.run('audit', 'verify', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      events: 43,
      documents: 15,
      quarantined: [],
      cut: [],
      unreadable: [],
      differences: [
        {
          projection: 'orders',
          key: 'shipped-1',
          path: '/fields/single/status',
          expected: 'out_for_delivery',
          actual: 'lost',
          divergedAt: expect.stringMatching(/^\d+$/),
        },
      ],
    });
    const told = await waybill.run('audit', 'verify');
    expect(told.code).toBe(1);
    expect(told.stdout).toMatch(
      /orders shipped-1 at \/fields\/single\/status\n +log says +"out_for_delivery"\n +stored is +"lost"/,
    );
  });
});

describe('waybill backup and restore', () => {
  const copy = () => join(waybill.scratch, 'copy');

  async function makeKeys(): Promise<string> {
    prepareDataFolder(waybill.dataFolder);
    return keyOfAnna((keys) => keys.create('anna'));
  }

  async function keyOfAnna(
    get = (keys: KeyStore): Promise<Uint8Array | undefined> => keys.find('anna'),
  ): Promise<string> {
    const { keys: file, masterKey: masterKeyFile } = dataFiles(waybill.dataFolder);
    const keys = openSqliteKeyStore({ file, masterKeyFile, masterKeyText: undefined, randomness: systemRandomness });
    const key = await get(keys);
    await keys.close();
    return Buffer.from(key!).toString('hex');
  }

  test('brings log, read models and keys back as they were; keys lie apart and are private', async () => {
    const key = await makeKeys();
    const serviceKey = await keyOfAnna((keys) => keys.create(serviceSubject));
    await waybill.importSmall();
    expect(await waybill.run('token', '--role', 'operator', '--sub', 'olga')).toMatchObject({ code: 0 });
    const history = await waybill.run('replay', 'history', '--as-of', '2018-01-01T00:00:00Z', '--json');
    const manifest = await waybill.json<{ log: object; files: readonly { path: string }[] }>('backup', copy());
    expect(manifest.log).toEqual({ position: '43' });
    expect(manifest.files.map(({ path }) => path)).toEqual([
      'read-models.sqlite',
      'log.sqlite',
      'keys/keys.sqlite',
      'keys/master.key',
      'keys/development-key.json',
    ]);
    for (const { path } of manifest.files) expect(statSync(join(copy(), path)).mode & 0o077).toBe(0);

    waybill.dataFolder = join(waybill.scratch, 'restored');
    expect(await waybill.run('restore', copy())).toMatchObject({ code: 0 });
    expect(await waybill.run('replay', 'history', '--as-of', '2018-01-01T00:00:00Z', '--json')).toEqual(history);
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true, documents: 15 });
    expect(await keyOfAnna()).toBe(key);
    expect(await keyOfAnna((keys) => keys.create(serviceSubject))).toBe(serviceKey);
  });

  describe('when somebody is erased between two backups', () => {
    const keysOf = (backup: string): string => join(backup, 'keys');
    let older: string;
    let newer: string;
    let key: string;

    beforeEach(async () => {
      [older, newer] = [join(waybill.scratch, 'older'), join(waybill.scratch, 'newer')];
      key = await makeKeys();
      await keyOfAnna((keys) => keys.create('bert'));
      await waybill.importSmall();
      expect(await waybill.run('backup', older)).toMatchObject({ code: 0 });
      await erase('anna');
      expect(await waybill.run('backup', newer)).toMatchObject({ code: 0 });
    });

    async function erase(customerId: string): Promise<void> {
      const store = openSqliteEventStore(dataFiles(waybill.dataFolder).log, { clock: systemClock });
      const event = { ...newEvent(), type: 'CustomerErased', data: { customerId }, partitionKey: customerId };
      await store.append(`customer-${customerId}`, -1, [event]);
      await store.close();
      await keyOfAnna(async (keys) => keys.destroy(customerId).then(() => new Uint8Array()));
    }

    /** Anna's key in the folder that was restored, as hexadecimal; empty when she has none and gets none. */
    async function restored(...words: readonly string[]): Promise<string> {
      waybill.dataFolder = join(waybill.scratch, 'restored');
      const { code, stderr } = await waybill.run('restore', ...words);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(readdirSync(waybill.dataFolder).filter((name) => name.startsWith('.'))).toEqual([]);
      expect(await keyOfAnna(async (keys) => (await keys.find('bert')) ?? (await keys.create('bert')))).toHaveLength(
        64,
      );
      return keyOfAnna(async (keys) => (await keys.find('anna')) ?? (await keys.create('anna')) ?? new Uint8Array());
    }

    test('the newer one brings nothing of them back', async () => {
      expect(await restored(newer)).toBe('');
    });

    test('nor do the keys of the older one, put beside a log that says so', async () => {
      const wrapped = wrappedKeyOf('anna', keysOf(older));
      expect(await restored(newer, '--keys', keysOf(older))).toBe('');
      const { keys } = dataFiles(waybill.dataFolder);
      for (const file of [keys, `${keys}-wal`].filter((name) => existsSync(name))) {
        expect(readFileSync(file).includes(wrapped)).toBe(false);
      }
    });

    test('nor does the older one with the newer keys, although its log knows nothing of it', async () => {
      expect(await restored(older, '--keys', keysOf(newer))).toBe('');
      expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true });
    });

    test('the older one with its own keys knows nothing of it: these are what is to be destroyed', async () => {
      expect(await restored(older)).toBe(key);
    });

    test('a folder that holds no keys is refused', async () => {
      waybill.dataFolder = join(waybill.scratch, 'restored');
      const { code, stderr } = await waybill.run('restore', newer, '--keys', older);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `${older} holds no keys.sqlite. Name the folder keys of a backup.\n`,
      });
      expect(existsSync(dataFiles(waybill.dataFolder).log)).toBe(false);
    });

    function wrappedKeyOf(subject: string, folder: string): Buffer {
      const found = wrappedKeysIn(join(folder, 'keys.sqlite')).find((key) => key.subject === subject);
      return Buffer.from(found!.wrapped!);
    }
  });

  test('taken while orders are imported, the copy is a prefix of the log, and its read models are not ahead', async () => {
    const folder = waybill.olistFolder(manyOrders(1_500));
    prepareDataFolder(waybill.dataFolder);
    const store = openSqliteEventStore(dataFiles(waybill.dataFolder).log, { clock: systemClock });
    const { ended } = waybill.start('import', 'olist', folder);
    const stop = new AbortController();
    for await (const { events } of store.subscribe(0, 1_000, stop.signal)) if (events.length > 0) stop.abort();
    expect(await waybill.run('backup', copy())).toMatchObject({ code: 0 });
    expect(await ended).toMatchObject({ code: 0 });
    const whole = await wholeLog(store);
    await store.close();

    waybill.dataFolder = join(waybill.scratch, 'restored');
    expect(await waybill.run('restore', copy())).toMatchObject({ code: 0 });
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true });
    const restored = openSqliteEventStore(dataFiles(waybill.dataFolder).log, { clock: systemClock });
    const part = await wholeLog(restored);
    await restored.close();
    expect(part.length).toBeGreaterThan(0);
    expect(part).toEqual(whole.slice(0, part.length));
    // It goes on from where it was copied.
    expect(await waybill.run('import', 'olist', folder)).toMatchObject({ code: 0 });
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true, events: whole.length });
  });

  test('whose erasure cannot be told, as events of theirs cannot be read or are gone, is said', async () => {
    await makeKeys();
    const { log } = dataFiles(waybill.dataFolder);
    const store = openSqliteEventStore(log, { clock: systemClock });
    for (const stream of ['customer-anna', 'order-o1']) await appendUnreadable(store, stream, noStream);
    for (const stream of ['customer-bert', 'order-o2']) await store.append(stream, noStream, [newEvent(), newEvent()]);
    await store.close();
    const file = openLog(log);
    file.exec(`DELETE FROM events WHERE stream IN ('customer-bert', 'order-o2') AND revision = 0`);
    file.close();
    expect(await waybill.run('backup', copy())).toMatchObject({ code: 0 });
    waybill.dataFolder = join(waybill.scratch, 'restored');
    const { code, stderr } = await waybill.run('restore', copy());
    expect(code).toBe(0);
    const [, said = ''] = stderr.split('Whether these customers are erased cannot be told from the log');
    expect(said).toMatch(/Erase again who is:\n.*revision 0 of stream customer-anna.*\n.*Stream customer-bert was cut/);
    expect(said).not.toMatch('order-');
    expect(await keyOfAnna()).toHaveLength(64);
  });

  test('what the payment simulator booked comes back', async () => {
    await waybill.importSmall();
    const booked = async (asked?: Asked): Promise<readonly Entry[]> => {
      const ledger = new Ledger(dataFiles(waybill.dataFolder).paymentLedger, systemClock);
      if (asked !== undefined) await ledger.receive(asked);
      const entries = ledger.entries();
      await ledger.close();
      return entries;
    };
    const payment = { reference: 'o-1', amount: 100, currency: 'KRW', token: 'tok_approve' };
    const entries = await booked({ ask: 'authorise', ...payment });
    expect(entries).toHaveLength(1);
    expect(await waybill.run('backup', copy())).toMatchObject({ code: 0 });
    waybill.dataFolder = join(waybill.scratch, 'restored');
    expect(await waybill.run('restore', copy())).toMatchObject({ code: 0 });
    expect(await booked()).toEqual(entries);
  });

  test('backup refuses a folder that holds something', async () => {
    await waybill.importSmall();
    mkdirSync(copy());
    writeFileSync(join(copy(), 'mine'), '');
    const { code, stderr } = await waybill.run('backup', copy());
    expect(code).toBe(2);
    expect(stderr).toBe(`${copy()} is not empty (it has mine). Name a new folder for the backup.\n`);
    expect(readdirSync(copy())).toEqual(['mine']);
  });

  test('restore refuses a data folder that holds something, or that a server uses', async () => {
    await waybill.importSmall();
    await waybill.run('backup', copy());
    const before = readFileSync(dataFiles(waybill.dataFolder).log);
    const full = await waybill.run('restore', copy());
    expect(full.code).toBe(2);
    expect(full.stderr).toMatch('is not empty');
    expect(readFileSync(dataFiles(waybill.dataFolder).log)).toEqual(before);

    waybill.dataFolder = join(waybill.scratch, 'served');
    prepareDataFolder(waybill.dataFolder);
    const lock = lockDataFolder(waybill.dataFolder);
    const served = await waybill.run('restore', copy());
    lock?.release();
    expect(served.code).toBe(2);
    expect(served.stderr).toBe(
      `A server uses ${waybill.dataFolder}. Stop it, or set WAYBILL_DATA to another folder.\n`,
    );
    expect(existsSync(dataFiles(waybill.dataFolder).log)).toBe(false);
  });

  /** Has a manifest name one more file, which is there and is what it says. */
  function nameToo(manifest: string, path: string): void {
    const named = join(manifest, '..', path);
    if (!existsSync(named)) writeFileSync(named, 'of somebody else');
    const content = readFileSync(named);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const { files, ...rest } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
    writeFileSync(manifest, JSON.stringify({ ...rest, files: [...files, { path, bytes: content.length, sha256 }] }));
  }

  test.each([
    [
      'was changed',
      'log.sqlite',
      1,
      'is not as it was when the backup was made',
      (file: string) => appendFileSync(file, 'x'),
    ],
    ['lacks a file', 'read-models.sqlite', 1, 'is missing from the backup', (file: string) => rmSync(file)],
    ['lacks its keys', 'keys/development-key.json', 1, 'Put the keys folder back', (file: string) => rmSync(file)],
    ['has no manifest', 'manifest.json', 2, 'is not a complete backup', (file: string) => rmSync(file)],
    [
      'is of another form',
      'manifest.json',
      2,
      'cannot be read by this program',
      (file: string) => writeFileSync(file, '{"format":2}'),
    ],
    ...['../outside.sqlite', 'keys/../../outside.sqlite', 'manifest.json'].map(
      (named): [string, string, number, string, (file: string) => void] => [
        `names ${named} among its files`,
        'manifest.json',
        2,
        'cannot be read by this program',
        (file) => nameToo(file, named),
      ],
    ),
  ])('restore refuses a backup that %s', async (_, path, code, says, spoil) => {
    await waybill.importSmall();
    await waybill.run('token', '--role', 'operator', '--sub', 'olga');
    await waybill.run('backup', copy());
    spoil(join(copy(), path));
    waybill.dataFolder = join(waybill.scratch, 'restored');
    const ran = await waybill.run('restore', copy());
    expect(ran.stderr).toMatch(says);
    expect(ran.code).toBe(code);
    expect(existsSync(dataFiles(waybill.dataFolder).log)).toBe(false);
  });
});
