import { readFile, writeFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startAppendWorker } from './append-worker.js';
import { openLog } from './log-file.js';
import { openSqliteEventStore, SqliteEventStore } from './sqlite-event-store.js';
import { logFileForEach } from './testing/log-file-for-each.js';
import { newEvent } from './testing/new-event.js';

let file: string;
logFileForEach((path) => {
  file = path;
});

const sentence = (part: string): unknown => expect.stringMatching(new RegExp(`^.*${part}.*\\.$`));

test('waits for the lock of another process without blocking the thread', async () => {
  const store = openSqliteEventStore(file, { clock: Date });
  const other = openLog(file);
  other.exec('BEGIN IMMEDIATE');
  const append = store.append('order-1', -1, [newEvent('a')]);
  // The lock is released by this same thread, so a store that blocked it would wait for ever.
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  expect(await store.readStream('order-1', 0, 10)).toEqual([]);
  other.exec('COMMIT');
  expect(await append).toMatchObject({ revision: 0 });
  other.close();
  await store.close();
});

test('is unavailable when the lock is held for too long, and does it when it is free again', async () => {
  const store = openSqliteEventStore(file, { clock: Date, patienceMs: 30 });
  const other = openLog(file);
  other.exec('BEGIN IMMEDIATE');
  await expect(store.append('order-1', -1, [newEvent('a')])).rejects.toMatchObject({
    kind: 'unavailable',
    what: 'event store',
    message: sentence('log.sqlite is locked by another process'),
  });
  other.exec('ROLLBACK');
  expect(await store.append('order-1', -1, [newEvent('a')])).toMatchObject({ revision: 0 });
  other.close();
  await store.close();
});

test('fails every append of a group whose commit fails; what was there is readable, and room heals it', async () => {
  const database = openLog(file);
  const store = new SqliteEventStore(database, { clock: Date });
  await store.append('order-1', -1, [newEvent('a')]);
  database.exec('PRAGMA max_page_count = 10');
  const failed = [
    store.append('order-2', -1, [newEvent('b')]),
    store.append('order-1', 0, [newEvent('c')]),
    store.append('order-3', -1, [newEvent('d'), newEvent('e', 'x'.repeat(100_000))]),
    store.append('order-4', -1, [newEvent('f')]),
  ];
  for (const append of failed) {
    await expect(append).rejects.toMatchObject({
      kind: 'unavailable',
      message: sentence('The disk is full: .*log.sqlite'),
    });
  }
  expect((await store.readAll(0, 10)).map(({ id }) => id)).toEqual(['a']);

  database.exec('PRAGMA max_page_count = 10000');
  await store.append('order-1', 0, [newEvent('c')]);
  expect((await store.readAll(0, 10)).map(({ id }) => id)).toEqual(['a', 'c']);
  await store.close();
});

test('a conflict fails its own append, not the others of its group', async () => {
  const store = openSqliteEventStore(file, { clock: Date });
  const results = await Promise.allSettled([
    store.append('order-1', -1, [newEvent('a')]),
    store.append('order-1', -1, [newEvent('b'), newEvent('c')]),
    store.append('order-1', 0, [newEvent('d')]),
    store.append('order-1', 0, [newEvent('e')]),
    store.append('order-2', -1, [newEvent('f')]),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
  expect((await store.readAll(0, 10)).map(({ id, stream, revision }) => [id, stream, revision])).toEqual([
    ['a', 'order-1', 0],
    ['d', 'order-1', 1],
    ['f', 'order-2', 0],
  ]);
  await store.close();
});

test('commits in one group what is asked for at one time', async () => {
  const store = openSqliteEventStore(file, { clock: Date });
  const other = openLog(file);
  const before = other.dataVersion();
  const appends = Array.from({ length: 64 }, (_, index) => store.append(`order-${index}`, -1, [newEvent(`${index}`)]));
  await Promise.all(appends);
  const times = new Set((await store.readAll(0, 64)).map(({ recordedAt }) => recordedAt));
  expect(times.size).toBe(1);
  expect(other.dataVersion()).not.toBe(before);
  other.close();
  await store.close();
});

test('settles what is under way before it closes, and is unavailable afterwards', async () => {
  const store = openSqliteEventStore(file, { clock: Date });
  const appends = Array.from({ length: 1_200 }, (_, index) =>
    store.append(`order-${index}`, -1, [newEvent(`${index}`)]),
  );
  const subscription = store.subscribe(0, 10_000, new AbortController().signal)[Symbol.asyncIterator]();
  await subscription.next();
  await store.close();
  expect(await Promise.all(appends)).toHaveLength(1_200);

  const closed = { kind: 'unavailable', message: 'The event store is closed.' };
  await expect(store.append('order-1', 0, [newEvent('x')])).rejects.toMatchObject(closed);
  await expect(store.readAll(0, 1)).rejects.toMatchObject(closed);
  for (let next = await subscription.next(); next.done !== true; next = await subscription.next());
});

const faulty: [string, () => Promise<void>, string][] = [
  [
    'of a newer version',
    async () => {
      const database = openLog(file);
      database.exec('PRAGMA user_version = 99');
      database.close();
      await Promise.resolve();
    },
    'log.sqlite is of version 99, newer than this program knows',
  ],
  [
    'that is no SQLite file',
    () => writeFile(file, 'position,stream\n'.repeat(1_000)),
    'log.sqlite is damaged or no SQLite file. .*restore',
  ],
];

test.each(faulty)('refuses a file %s, here and in a worker', async (_, spoil, message) => {
  await spoil();
  const before = await readFile(file);
  const refusal = { kind: 'bad-data-file', message: sentence(message) };
  expect(() => openSqliteEventStore(file, { clock: Date })).toThrow(expect.objectContaining(refusal));
  await expect(startAppendWorker(file)).rejects.toMatchObject(refusal);
  expect(await readFile(file)).toEqual(before);
});

test('says of a page that was damaged on disk that the file is, and answers for what is whole', async () => {
  const store = openSqliteEventStore(file, { clock: Date });
  for (let index = 0; index < 50; index += 1) {
    await store.append(`order-${index}`, -1, [newEvent(`${index}`, 'x'.repeat(2_000))]);
  }
  await store.close();
  const bytes = await readFile(file);
  bytes.fill(7, bytes.length - 2 * 4_096);
  await writeFile(file, bytes);

  const damaged = openSqliteEventStore(file, { clock: Date });
  await expect(damaged.readAll(0, 100)).rejects.toMatchObject({
    kind: 'bad-data-file',
    message: sentence('log.sqlite is damaged'),
  });
  expect(await damaged.readAll(0, 1)).toHaveLength(1);
  await damaged.close();
});
