import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { isBusy, openDatabase, type Database, type DatabaseOptions } from './database.js';
import type { Racing } from './open-at-once.fixture.js';
import { whenFree } from './when-free.js';

const options: DatabaseOptions = {
  what: 'test store',
  busyTimeoutMs: 1,
  schema: {
    applicationId: 0x5762_7474,
    version: 2,
    migrate(database, from) {
      if (from < 1) database.exec('CREATE TABLE notes (text TEXT) STRICT');
      if (from < 2) database.exec('ALTER TABLE notes ADD COLUMN by TEXT');
    },
  },
};

let folder: string;
let file: string;
let opened: Database[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-sqlite-'));
  file = join(folder, 'notes.sqlite');
  opened = [];
});

afterEach(async () => {
  for (const database of opened) database.close();
  await rm(folder, { recursive: true });
});

function open(more: Partial<DatabaseOptions> = {}): Database {
  const database = openDatabase(file, { ...options, ...more });
  opened.push(database);
  return database;
}

function notes(database: Database): string[] {
  return database
    .prepare<[string]>('SELECT text FROM notes ORDER BY rowid')
    .all()
    .map(([text]) => text);
}

function fault(kind: string, part: string): unknown {
  return expect.objectContaining({
    kind,
    message: expect.stringMatching(new RegExp(`^.*notes.sqlite.*${part}.*\\.$`)),
  });
}

test('makes a new file, and finds it again as it was', () => {
  const database = open();
  database.prepare('INSERT INTO notes VALUES (?, ?)').run('one', null);
  database.close();
  expect(notes(open())).toEqual(['one']);
});

test('writes ahead and flushes every commit, unless told otherwise', () => {
  const pragma = (database: Database, name: string) => database.prepare(`PRAGMA ${name}`).get()?.[0];
  expect([pragma(open(), 'journal_mode'), pragma(open(), 'synchronous')]).toEqual(['wal', 2]);
  expect(pragma(open({ synchronous: 'NORMAL' }), 'synchronous')).toBe(1);
});

test('brings a file of an older version up to date, with what is in it', () => {
  const older = { ...options.schema, version: 1, migrate: () => undefined };
  const first = open({
    schema: {
      ...older,
      migrate: (database) => {
        options.schema.migrate(database, 0);
      },
    },
  });
  first.prepare('INSERT INTO notes (text) VALUES (?)').run('old');
  first.exec('ALTER TABLE notes DROP COLUMN by');
  first.close();
  const database = open();
  database.prepare('INSERT INTO notes (text, by) VALUES (?, ?)').run('new', 'me');
  expect(notes(database)).toEqual(['old', 'new']);
});

test('refuses a file of a newer version', () => {
  open({ schema: { ...options.schema, version: 3 } });
  expect(() => open()).toThrow(fault('bad-data-file', 'is of version 3, newer than this program knows \\(2\\)'));
});

test("refuses another program's file and leaves it as it is", async () => {
  const other = new DatabaseSync(file);
  other.exec('CREATE TABLE theirs (x)');
  other.close();
  const before = await readFile(file);
  expect(() => open()).toThrow(fault('bad-data-file', 'was not made by this program'));
  expect(await readFile(file)).toEqual(before);
});

test('says of a file that is no SQLite file what to do, in the words of its owner', async () => {
  await writeFile(file, 'no database '.repeat(500));
  expect(() => open()).toThrow(fault('bad-data-file', 'damaged or not a SQLite file. Put it aside'));
  expect(() => open({ remedy: 'Delete it.' })).toThrow(
    fault('bad-data-file', 'damaged or not a SQLite file. Delete it'),
  );
});

test('says of a folder that is not there, or in the way, that the file cannot be opened', () => {
  const message = expect.stringMatching(/cannot be opened\. Check that its folder is there/);
  expect(() => openDatabase(join(folder, 'none', 'a'), options)).toThrow(expect.objectContaining({ message }));
  expect(() => openDatabase(folder, options)).toThrow(expect.objectContaining({ message }));
});

test('opened readonly it reads, never writes, and makes no file', async () => {
  expect(() => open({ readonly: true })).toThrow(fault('bad-data-file', 'Check the data folder'));
  expect(await readdir(folder)).toEqual([]);
  open().exec("INSERT INTO notes VALUES ('one', NULL)");
  const database = open({ readonly: true });
  expect(notes(database)).toEqual(['one']);
  expect(() => {
    database.exec('DELETE FROM notes');
  }).toThrow(fault('bad-data-file', 'cannot be written'));
});

test('readonly refuses what it would have to bring up to date', () => {
  open({ schema: { ...options.schema, version: 1 } });
  expect(() => open({ readonly: true })).toThrow(fault('bad-data-file', 'older than 2'));
});

test('an immediate transaction is all or nothing', () => {
  const database = open();
  expect(() =>
    database.immediate(() => {
      database.exec("INSERT INTO notes VALUES ('lost', NULL)");
      throw new Error('changed my mind');
    }),
  ).toThrow('changed my mind');
  expect(database.immediate(() => 7)).toBe(7);
  expect(notes(database)).toEqual([]);
});

test('a full disk is unavailable, rolls back, and leaves the connection usable', () => {
  const database = open();
  database.exec("INSERT INTO notes VALUES ('kept', NULL)");
  database.exec('PRAGMA max_page_count = 5');
  const insert = database.prepare('INSERT INTO notes VALUES (?, NULL)');
  expect(() =>
    database.immediate(() => {
      for (let count = 0; count < 100; count += 1) insert.run('x'.repeat(2_000));
    }),
  ).toThrow(
    expect.objectContaining({ kind: 'unavailable', what: 'test store', message: expect.stringMatching(/full/) }),
  );
  expect(notes(database)).toEqual(['kept']);
  database.immediate(() => insert.run('small'));
  expect(notes(database)).toEqual(['kept', 'small']);
});

test.each(['run', 'get', 'all', 'exec'] as const)('a lock held by another is busy and unavailable (%s)', (call) => {
  const [database, other] = [open(), open()];
  const insert = database.prepare("INSERT INTO notes VALUES ('one', NULL) RETURNING text");
  other.exec('BEGIN IMMEDIATE');
  const attempt = () => {
    if (call === 'exec') database.exec('DELETE FROM notes');
    else insert[call]();
  };
  expect(attempt).toThrow(fault('unavailable', 'is locked by another process'));
  try {
    attempt();
  } catch (error) {
    expect(isBusy(error)).toBe(true);
  }
  other.exec('COMMIT');
  attempt();
});

test('nothing but a lock is busy', () => {
  expect(isBusy(new Error('database is locked'))).toBe(false);
  expect(() => open().exec('SELECT * FROM nowhere')).toThrow(/no such table/);
});

test('whenFree tries again until the lock is free, and lets the thread go on meanwhile', async () => {
  const [database, other] = [open(), open()];
  other.exec('BEGIN IMMEDIATE');
  let tries = 0;
  const done = whenFree(() => {
    tries += 1;
    // Were the thread blocked, nobody could give the lock back.
    if (tries === 3)
      setImmediate(() => {
        other.exec('COMMIT');
      });
    database.exec("INSERT INTO notes VALUES ('one', NULL)");
  });
  await done;
  expect(tries).toBeGreaterThan(3);
  expect(notes(database)).toEqual(['one']);
});

test('whenFree gives up after its patience, and at once for any other fault', async () => {
  const [database, other] = [open(), open()];
  other.exec('BEGIN IMMEDIATE');
  const insert = () => {
    database.exec("INSERT INTO notes VALUES ('one', NULL)");
  };
  await expect(whenFree(insert, 20)).rejects.toEqual(fault('unavailable', 'is locked'));
  let tries = 0;
  const broken = () => {
    tries += 1;
    database.exec('SELECT * FROM nowhere');
  };
  await expect(whenFree(broken)).rejects.toThrow(/no such table/);
  expect(tries).toBe(1);
});

test('tells when another connection has committed', () => {
  const [database, other] = [open(), open()];
  const before = database.dataVersion();
  database.exec("INSERT INTO notes VALUES ('mine', NULL)");
  expect(database.dataVersion()).toBe(before);
  other.exec("INSERT INTO notes VALUES ('theirs', NULL)");
  expect(database.dataVersion()).not.toBe(before);
});

test('the write-ahead log that grew while somebody read is small again when they are done', async () => {
  const [database, other] = [open({ synchronous: 'NORMAL' }), open()];
  const insert = database.prepare('INSERT INTO notes VALUES (?, NULL)');
  insert.run('first');
  const size = async (): Promise<number> => (await stat(`${file}-wal`)).size;
  other.exec('BEGIN; SELECT count(*) FROM notes');
  for (let count = 0; count < 40; count += 1) insert.run('x'.repeat(1 << 20));
  expect(await size()).toBeGreaterThan(40 << 20);
  other.exec('COMMIT');
  // The first copies it into the file, the second begins it anew.
  for (const text of ['second', 'third']) insert.run(text);
  expect(await size()).toBeLessThanOrEqual(32 << 20);
});

test('secure deletion leaves nothing of a row, neither in the file nor in the log beside it', async () => {
  const database = open({ secureDelete: true });
  const secret = 'e7b1c4f0-secret';
  database.prepare('INSERT INTO notes VALUES (?, NULL)').run(secret);
  database.checkpoint();
  expect((await readFile(file)).includes(secret)).toBe(true);
  database.exec('DELETE FROM notes');
  database.checkpoint();
  for (const name of await readdir(folder)) {
    expect((await readFile(join(folder, name))).includes(secret)).toBe(false);
  }
});

test('several threads may make the same new file at once', async () => {
  const program = new URL('./open-at-once.fixture.js', import.meta.url);
  const workerData: Racing = {
    files: Array.from({ length: 60 }, (_, index) => join(folder, `shared-${index}.sqlite`)),
    threads: 4,
    gate: new SharedArrayBuffer(4),
  };
  const workers = Array.from({ length: workerData.threads }, () => new Worker(program, { workerData }));
  try {
    const outcomes = workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    );
    expect(await Promise.all(outcomes)).toEqual(['done', 'done', 'done', 'done']);
  } finally {
    // One that failed leaves the others waiting for it.
    for (const worker of workers) await worker.terminate();
  }
  for (const shared of workerData.files) {
    const database = openDatabase(shared, options);
    expect(notes(database)).toHaveLength(workerData.threads);
    database.close();
  }
});
