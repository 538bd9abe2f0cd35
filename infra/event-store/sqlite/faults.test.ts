import { readFile, writeFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { StreamCut } from '@waybill/shared-kernel/errors.js';
import { readAsFar } from '@waybill/shared-kernel/read-stream.js';
import { startAppendWorker } from './append-worker.js';
import { openLog } from './log-file.js';
import { openSqliteEventStore, SqliteEventStore } from './sqlite-event-store.js';
import { logFileForEach } from './testing/log-file-for-each.js';
import { newEvent } from './testing/new-event.js';
import { systemClock } from '../../clock/system.js';

let file: string;
logFileForEach((path) => {
  file = path;
});

const sentence = (part: string): unknown => expect.stringMatching(new RegExp(`^.*${part}.*\\.$`));

test('waits for the lock of another process without blocking the thread', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
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
  const store = openSqliteEventStore(file, { clock: systemClock, answerTimeoutMs: 30 });
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
  const store = new SqliteEventStore(database, { clock: systemClock });
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
  expect((await store.readAll(0, 10)).events.map(({ id }) => id)).toEqual(['a']);

  database.exec('PRAGMA max_page_count = 10000');
  await store.append('order-1', 0, [newEvent('c')]);
  expect((await store.readAll(0, 10)).events.map(({ id }) => id)).toEqual(['a', 'c']);
  await store.close();
});

test('a conflict fails its own append, not the others of its group', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
  const results = await Promise.allSettled([
    store.append('order-1', -1, [newEvent('a')]),
    store.append('order-1', -1, [newEvent('b'), newEvent('c')]),
    store.append('order-1', 0, [newEvent('d')]),
    store.append('order-1', 0, [newEvent('e')]),
    store.append('order-2', -1, [newEvent('f')]),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
  expect((await store.readAll(0, 10)).events.map(({ id, stream, revision }) => [id, stream, revision])).toEqual([
    ['a', 'order-1', 0],
    ['d', 'order-1', 1],
    ['f', 'order-2', 0],
  ]);
  await store.close();
});

test('commits in one group what is asked for at one time', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
  const other = openLog(file);
  const before = other.dataVersion();
  const appends = Array.from({ length: 64 }, (_, index) => store.append(`order-${index}`, -1, [newEvent(`${index}`)]));
  await Promise.all(appends);
  const times = new Set((await store.readAll(0, 64)).events.map(({ recordedAt }) => recordedAt));
  expect(times.size).toBe(1);
  expect(other.dataVersion()).not.toBe(before);
  other.close();
  await store.close();
});

test('settles what is under way before it closes, and is unavailable afterwards', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
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
    'log.sqlite is damaged or not a SQLite file. .*restore',
  ],
];

test.each(faulty)('refuses a file %s, here and in a worker', async (_, spoil, message) => {
  await spoil();
  const before = await readFile(file);
  const refusal = { kind: 'bad-data-file', message: sentence(message) };
  expect(() => openSqliteEventStore(file, { clock: systemClock })).toThrow(expect.objectContaining(refusal));
  await expect(startAppendWorker(file)).rejects.toMatchObject(refusal);
  expect(await readFile(file)).toEqual(before);
});

test('says of a page that was damaged on disk that the file is, and answers for what is whole', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
  for (let index = 0; index < 50; index += 1) {
    await store.append(`order-${index}`, -1, [newEvent(`${index}`, 'x'.repeat(2_000))]);
  }
  await store.close();
  const bytes = await readFile(file);
  bytes.fill(7, bytes.length - 2 * 4_096);
  await writeFile(file, bytes);

  const damaged = openSqliteEventStore(file, { clock: systemClock });
  await expect(damaged.readAll(0, 100)).rejects.toMatchObject({
    kind: 'bad-data-file',
    message: sentence('log.sqlite is damaged'),
  });
  expect((await damaged.readAll(0, 1)).events).toHaveLength(1);
  await damaged.close();
});

test('goes on over a body that is damaged, which is the trouble of its stream alone', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
  await store.append('order-1', -1, [newEvent('a')]);
  await store.append('order-2', -1, [newEvent('b'), newEvent('c')]);
  await store.append('order-3', -1, [newEvent('d')]);
  const other = openLog(file);
  other.prepare(`UPDATE events SET body = '{"id":' WHERE stream = 'order-2' AND revision = 1`).run();
  other.close();

  const mark = {
    stream: 'order-2',
    position: 3,
    why: 'unreadable',
    revision: 1,
    detail: 'its stored body is not JSON',
  };
  const page = await store.readAll(0, 10);
  expect(page.events.map(({ id }) => id)).toEqual(['a', 'b', 'd']);
  expect(page).toMatchObject({ marks: [mark], through: 4, isEnd: true });
  expect(await store.readAllBackwards(Infinity, 10)).toMatchObject({ marks: [mark] });
  expect(await store.recordAt(3)).toBe('unreadable');
  const unreadable = { kind: 'stream-unreadable', stream: 'order-2', revision: 1, position: 3 };
  await expect(store.readStream('order-2', 0, 10)).rejects.toMatchObject(unreadable);
  await expect(store.readStreamBackwards('order-2', Infinity, 1)).rejects.toMatchObject(unreadable);
  expect(await store.cutStreams()).toEqual([]);
  // Of an append that asks for its place it is not the repeat.
  await expect(store.append('order-2', 0, [newEvent('e')])).rejects.toMatchObject({ actual: 1 });
  await store.close();
});

test('rows that somebody deleted: their streams are cut, and their places are not those of another log', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
  await store.append('order-1', -1, [newEvent('a'), newEvent('b')]);
  await store.append('order-2', -1, [newEvent('c')]);
  const other = openLog(file);
  other.prepare(`DELETE FROM events WHERE stream = 'order-1' AND revision = 0`).run();
  other.close();
  expect(await store.cutStreams()).toEqual([new StreamCut('order-1', 1)]);
  expect(await store.recordAt(1)).toBe('absent');
  expect(await store.recordAt(4)).toBe('none');
  await store.close();
});

test('rows that somebody deleted from the middle of a stream: nobody reads over the gap', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
  await store.append(
    'order-1',
    -1,
    ['a', 'b', 'c', 'd', 'e'].map((id) => newEvent(id)),
  );
  await store.append('order-2', -1, [newEvent('f')]);
  const other = openLog(file);
  other.prepare(`DELETE FROM events WHERE stream = 'order-1' AND revision IN (2, 3)`).run();
  other.close();
  const cut = new StreamCut('order-1', 4, 2);
  await expect(store.readStream('order-1', 0, 10)).rejects.toEqual(cut);
  await expect(store.readStreamBackwards('order-1', Infinity, 10)).rejects.toEqual(cut);
  await expect(store.readStream('order-1', 2, 10)).rejects.toMatchObject({ kind: 'stream-cut', firstRevision: 4 });
  expect((await store.readStream('order-1', 0, 2)).map(({ id }) => id)).toEqual(['a', 'b']);
  expect(await store.readStream('order-1', 4, 10)).toHaveLength(1);
  const readable: string[] = [];
  const reading = async () => {
    for await (const { id } of readAsFar(store, 'order-1')) readable.push(id);
  };
  await expect(reading()).rejects.toEqual(cut);
  expect(readable).toEqual(['a', 'b']);
  expect(await store.cutStreams()).toEqual([cut]);
  await store.close();
});
