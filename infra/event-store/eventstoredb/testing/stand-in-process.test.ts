import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { connectionTo } from '../connection.js';
import { openEventStoreDb } from '../eventstoredb-event-store.js';
import { EventStoreDbProcess } from './server-process.js';

const standIn = fileURLToPath(new URL('../../../../../bench/stand-in-eventstoredb.mjs', import.meta.url));
const command = `"${process.execPath}" "${standIn}" {port} {folder} {options}`;
let server: EventStoreDbProcess;

beforeEach(() => {
  server = new EventStoreDbProcess({ command });
});

afterEach(() => server.dispose());

test('a stand-in that is started like a server keeps what it acknowledged when it is killed', async () => {
  await server.start();
  const [stream, cut] = [freshStream(), freshStream()];
  const events = [newEvent(), newEvent()];
  const store = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
  const appended = await store.append(stream, noStream, events);
  await store.append(cut, noStream, [newEvent(), newEvent()]);
  const other = connectionTo(server.url);
  await other.client.setStreamMetadata(cut, { truncateBefore: 1 }, { credentials: other.credentials });
  await server.scavenge();
  await server.kill();
  await server.start();
  expect((await store.readStream(stream, 0, 10)).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
  expect(await store.append(stream, noStream, events)).toEqual(appended);
  expect(await store.cutOf(cut)).toEqual({ firstRevision: 1 });
  expect((await store.readAll(0, 10)).events).toHaveLength(3);
  expect(await store.append(cut, 1, [newEvent()])).toMatchObject({ revision: 2 });
  await Promise.all([store.close(), other.client.dispose()]);
});

test('it can be put back to what it had', async () => {
  await server.start();
  const [first, second] = [newEvent(), newEvent()];
  const stream = freshStream();
  const store = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
  const appended = await store.append(stream, noStream, [first]);
  const restore = await server.save();
  await store.append(stream, 0, [second]);
  await restore();
  expect(await store.head()).toBe(appended.position);
  expect(await store.append(stream, 0, [newEvent()])).toMatchObject({ revision: 1 });
  await store.close();
});

test('a server that does not start says so', async () => {
  const ending = new EventStoreDbProcess({ command: 'exit 7' });
  await expect(ending.start()).rejects.toThrow('"exit 7" ended with 7.');
  await ending.dispose();
});
