import { jsonEvent } from '@eventstore/db-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { StreamCut } from '@waybill/shared-kernel/errors.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { connectionTo, type Connection } from './connection.js';
import { openEventStoreDb, type EventStoreDbEventStore } from './eventstoredb-event-store.js';
import { ownServers, type RunningServer } from './testing/server-under-test.js';
import { StandInServer } from './testing/stand-in-server.js';

let server: StandInServer;
let store: EventStoreDbEventStore;
let other: Connection;

beforeEach(async () => {
  server = await StandInServer.listen();
  server.project();
  store = openEventStoreDb(server.url, { answerTimeoutMs: 20_000, watchMs: 20 });
  other = connectionTo(server.url);
});

afterEach(async () => {
  await Promise.all([store.close(), other.client.dispose()]);
  server.kill();
});

/** So many events of a new stream, appended one by one, as they were recorded. */
async function append(store: EventStoreDbEventStore, count: number) {
  const stream = freshStream();
  for (let revision = noStream; revision < count - 1; revision += 1) {
    await store.append(stream, revision, [newEvent()]);
  }
  return { stream, events: await store.readStream(stream, 0, count) };
}

async function ids(store: EventStoreDbEventStore, after: number): Promise<readonly string[]> {
  return (await wholeLog(store, after)).map(({ id }) => id);
}

test('of a deleted stream its last event stays in the log, of a tombstoned one nothing but that it was', async () => {
  const [deleted, tombstoned] = [await append(store, 2), await append(store, 2)];
  await other.client.deleteStream(deleted.stream);
  await other.client.tombstoneStream(tombstoned.stream);
  server.scavenge();
  expect(await ids(store, 0)).toEqual([deleted.events[1]!.id]);
  const pages = [];
  for await (const page of readLog(store, 0)) pages.push(page);
  expect(pages.flatMap(({ marks }) => marks)).toMatchObject([
    { stream: deleted.stream, why: 'metadata', detail: 'It was deleted.' },
    { stream: tombstoned.stream, why: 'deleted' },
  ]);
});

test('nobody reads over the gap that a largest age leaves behind a clock that was set back for a while', async () => {
  const [wallClock, setBack] = [Date.now, jest.spyOn(Date, 'now')];
  const { stream, events } = await append(store, 2);
  setBack.mockImplementation(() => wallClock() - 3_600_000);
  await store.append(stream, 1, [newEvent()]);
  setBack.mockRestore();
  await store.append(stream, 2, [newEvent()]);
  await other.client.setStreamMetadata(stream, { maxAge: 1_800 }, { credentials: other.credentials });
  await expect(store.readStream(stream, 0, 10)).rejects.toEqual(new StreamCut(stream, 3, 2));
  expect(await store.readStream(stream, 0, 2)).toEqual(events);
});

test('a subscription leaves nothing out, though it goes on from an event that was scavenged', async () => {
  const { stream, events } = await append(store, 3);
  await other.client.setStreamMetadata(stream, { truncateBefore: 2 }, { credentials: other.credentials });
  server.scavenge();
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const page of store.subscribe(events[0]!.position, 10, stop.signal)) {
      seen.push(...page.events.map(({ id }) => id));
    }
  })();
  await until(() => server.subscribers === 1 && seen.length === 1);
  const next = await append(store, 1);
  await until(() => seen.length === 2);
  expect(seen).toEqual([events[2]!.id, next.events[0]!.id]);
  stop.abort();
  await following;
});

test('links and what the server writes of its own are no events and no marks', async () => {
  const { events } = await append(store, 3);
  expect(server.records).toBeGreaterThan(3 * 4);
  for await (const { marks } of readLog(store, 0, Infinity, 3)) expect(marks).toEqual([]);
  expect(await wholeLog(store, 0)).toEqual(events);
});

test('a position that was never an event is refused backwards and where nothing was, beyond the end it is silent', async () => {
  const { events } = await append(store, 2);
  const off = events[0]!.position + 1;
  await expect(store.readAll(off, 10)).rejects.toMatchObject({ code: 2 });
  await expect(store.readAllBackwards(off, 10)).rejects.toMatchObject({ code: 2 });
  const beyond = (await store.head()) + 1_000_000;
  expect(await store.readAll(beyond, 10)).toEqual({ events: [], marks: [], through: beyond, isEnd: true });
  await expect(store.readAllBackwards(beyond, 10)).rejects.toMatchObject({ code: 2 });
});

/** So that what the test writes fills a file of the server, of which a full one alone is scavenged. */
const smallFiles = '--chunk-size 1048576 --max-append-size 900000';

describe.each(ownServers)('on $name,', ({ start }) => {
  let server: RunningServer;
  let store: EventStoreDbEventStore;
  let other: Connection;

  beforeAll(async () => {
    server = await start(smallFiles);
    store = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
    other = connectionTo(server.url);
  }, 180_000);

  afterAll(async () => {
    await Promise.all([store.close(), other.client.dispose()]);
    await server.dispose();
  });

  test('what was truncated is in the log until it is scavenged; what stays has its revisions and positions', async () => {
    const { stream, events } = await append(store, 4);
    const whole = await append(store, 2);
    await other.client.setStreamMetadata(stream, { truncateBefore: 3 }, { credentials: other.credentials });
    const all = [...events, ...whole.events].map(({ id }) => id);
    expect(await ids(store, 0)).toEqual(all);
    for (let count = 0; count < 4; count += 1) {
      const filling = jsonEvent({ type: 'Filling', data: { filling: 'x'.repeat(500_000) } });
      await other.client.appendToStream('filling', filling, { credentials: other.credentials });
    }
    await server.scavenge();
    await until(async () => (await store.recordAt(events[1]!.position)) === 'absent');
    expect(await wholeLog(store, 0)).toEqual([events[3], ...whole.events]);
    expect(await store.recordAt(events[3]!.position)).toEqual({ id: events[3]!.id });
    // From where an event was it goes on with the next.
    expect(await ids(store, events[1]!.position)).toEqual(all.slice(3));
    expect(await store.cutOf(stream)).toEqual({ firstRevision: 3 });
    expect(await store.append(stream, 3, [newEvent()])).toMatchObject({ revision: 4 });
  });
});
