import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import type { Appended } from '@waybill/shared-kernel/ports/event-store.js';
import { startAppendWorker } from './append-worker.js';
import { openLog } from './log-file.js';
import { openSqliteEventStore } from './sqlite-event-store.js';
import { logFileForEach } from './testing/log-file-for-each.js';
import { newEvent } from './testing/new-event.js';
import { systemClock } from '../../clock/system.js';

let file: string;
logFileForEach((path) => {
  file = path;
});

test('several stores share one worker, each getting its own answers', async () => {
  const worker = await startAppendWorker(file);
  const stores = [1, 2, 3].map(() => openSqliteEventStore(file, { clock: systemClock, appender: worker.port() }));
  const answers = await Promise.all(
    stores.flatMap((store, number) =>
      Array.from({ length: 100 }, async (_, index) => {
        const stream = `order-${number}-${index}`;
        const { position } = await store.append(stream, -1, [newEvent(stream)]);
        return { stream, position };
      }),
    ),
  );
  const [store] = stores;
  for (const { stream, position } of answers) {
    expect(await store?.readStream(stream, 0, 10)).toMatchObject([{ id: stream, position }]);
  }
  for (const each of stores) await each.close();
  await worker.close();
  expect(await worker.ended).toBeUndefined();
});

test('a subscription of one store wakes by what another appends, without looking at the file', async () => {
  const worker = await startAppendWorker(file);
  const never = { clock: systemClock, pollMs: 2 ** 30 };
  const [reader, writer] = [1, 2].map(() => openSqliteEventStore(file, { ...never, appender: worker.port() }));
  const subscription = reader?.subscribe(0, 10, new AbortController().signal)[Symbol.asyncIterator]();
  expect((await subscription?.next())?.value).toEqual({
    events: [],
    marks: [],
    through: expect.any(Number),
    isEnd: true,
  });
  const next = subscription?.next();
  await writer?.append('order-1', -1, [newEvent('a')]);
  expect((await next)?.value).toMatchObject({ events: [{ id: 'a' }] });
  for (const store of [reader, writer]) await store?.close();
  await worker.close();
});

test('appends under way are unavailable when the worker ends, later ones too; reading goes on', async () => {
  const worker = await startAppendWorker(file);
  const store = openSqliteEventStore(file, { clock: systemClock, appender: worker.port() });
  await store.append('order-1', -1, [newEvent('a')]);
  const other = openLog(file);
  other.exec('BEGIN IMMEDIATE');
  const pending = [store.append('order-2', -1, [newEvent('b')]), store.append('order-3', -1, [newEvent('c')])];
  const unavailable = { kind: 'unavailable', message: 'The thread that writes the log has ended. Restart the server.' };
  const outcomes = Promise.all(pending.map((append) => expect(append).rejects.toMatchObject(unavailable)));
  await worker.kill();
  await outcomes;
  other.exec('ROLLBACK');
  other.close();
  await expect(store.append('order-4', -1, [newEvent('d')])).rejects.toMatchObject(unavailable);
  expect((await store.readAll(0, 10)).events.map(({ id }) => id)).toEqual(['a']);
  await store.close();
});

test.each(['here', 'worker'])('what is asked for while others are on their way follows them (%s)', async (mode) => {
  const worker = await startAppendWorker(file);
  const store = openSqliteEventStore(file, {
    clock: systemClock,
    ...(mode === 'worker' && { appender: worker.port() }),
  });
  const other = openLog(file);
  other.exec('BEGIN IMMEDIATE');
  const appends: Promise<Appended>[] = [];
  for (let index = 0; index < 5; index += 1) {
    appends.push(store.append('order-1', index - 1, [newEvent(`${index}`)]));
    // The turns in which the appends before are sent off.
    for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  }
  other.exec('COMMIT');
  expect((await Promise.all(appends)).map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
  other.close();
  await store.close();
  await worker.close();
});

test.each(['here', 'worker'])('an append that waits for the lock is stamped when it got it (%s)', async (mode) => {
  const worker = await startAppendWorker(file);
  const store = openSqliteEventStore(file, {
    clock: systemClock,
    ...(mode === 'worker' && { appender: worker.port() }),
  });
  const other = openLog(file);
  other.exec('BEGIN IMMEDIATE');
  const append = store.append('order-1', -1, [newEvent('a')]);
  await sleep(100);
  const stillLocked = new Date().toISOString();
  // Longer than what clocks round off.
  await sleep(5);
  other.exec('COMMIT');
  await append;
  const [event] = await store.readStream('order-1', 0, 10);
  other.close();
  await store.close();
  await worker.close();
  expect(event!.recordedAt >= stillLocked).toBe(true);
  expect(event!.recordedAt <= new Date().toISOString()).toBe(true);
});

test('a lock held for long comes back through the port as what it is', async () => {
  const worker = await startAppendWorker(file, { answerTimeoutMs: 30 });
  const store = openSqliteEventStore(file, { clock: systemClock, appender: worker.port() });
  const other = openLog(file);
  other.exec('BEGIN IMMEDIATE');
  await expect(store.append('order-1', -1, [newEvent('a')])).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('is locked by another process'),
  });
  other.exec('ROLLBACK');
  other.close();
  expect(await store.append('order-1', -1, [newEvent('a')])).toMatchObject({ revision: 0 });
  await store.close();
  await worker.close();
});

test('closing commits what has reached the worker', async () => {
  const worker = await startAppendWorker(file);
  const store = openSqliteEventStore(file, { clock: systemClock, appender: worker.port() });
  const append = store.append('order-1', -1, [newEvent('a')]);
  await store.close();
  await worker.close();
  expect(await append).toMatchObject({ revision: 0 });
});
