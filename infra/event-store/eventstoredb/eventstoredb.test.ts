import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  jsonEvent,
  NO_STREAM,
  type Credentials,
  type EventData,
  type EventStoreDBClient,
  type StreamMetadata,
} from '@eventstore/db-client';
import { eventStoreContract } from '@waybill/shared-kernel/ports/event-store.contract.js';
import { noStream, type LogPage, type StreamMark } from '@waybill/shared-kernel/ports/event-store.js';
import { lastEvent, readLog } from '@waybill/shared-kernel/read-stream.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { connectionTo, type Connection } from './connection.js';
import { openEventStoreDb, type EventStoreDbEventStore } from './eventstoredb-event-store.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { wireEventOf } from './wire-event.js';
import { noteMissingServers, servers } from './testing/server-under-test.js';

noteMissingServers();

const timeoutMs = 900_000;
/** Machines that run tests are slower than any time-out that suits a server. */
const answerTimeoutMs = 20_000;
/** Of a server that is not set up otherwise. */
const largestAppend = 1024 * 1024;

/** What another program that uses the same server does. */
async function writeForeign({ client, credentials }: Connection, records: number): Promise<void> {
  const events = Array.from({ length: records }, () => jsonEvent({ type: 'Foreign', data: {} }));
  await client.appendToStream(`foreign-${freshStream()}`, events, { credentials, expectedRevision: NO_STREAM });
}

async function setMetadata(
  { client, credentials }: Connection,
  stream: string,
  metadata: StreamMetadata,
): Promise<void> {
  await client.setStreamMetadata(stream, metadata, { credentials });
}

/** An event without our envelope. */
async function appendUnreadable({ client, credentials }: Connection, stream: string, at: number): Promise<void> {
  const event = jsonEvent({ type: 'Foreign', data: {} });
  const expectedRevision = at === noStream ? NO_STREAM : BigInt(at);
  await client.appendToStream(stream, [event], { credentials, expectedRevision });
}

for (const { name, start, isShared } of servers) {
  eventStoreContract(
    `EventStoreDB, ${name}`,
    async () => {
      const { url, dispose } = await start();
      const store = openEventStoreDb(url, { answerTimeoutMs, watchMs: 100 });
      const another = openEventStoreDb(url, { answerTimeoutMs, watchMs: 100 });
      const other = connectionTo(url);
      return {
        store,
        another,
        writeForeign: (records) => writeForeign(other, records),
        truncate: (stream, before) => setMetadata(other, stream, { truncateBefore: before }),
        appendUnreadable: (stream, revision) => appendUnreadable(other, stream, revision),
        administration: {
          async softDelete(stream) {
            await other.client.deleteStream(stream, { credentials: other.credentials });
          },
          async tombstone(stream) {
            await other.client.tombstoneStream(stream, { credentials: other.credentials });
          },
          restore: (stream) => setMetadata(other, stream, {}),
        },
        async dispose() {
          await Promise.all([store.close(), another.close(), other.client.dispose()]);
          await dispose();
        },
      };
    },
    { largestAppend, timeoutMs, isShared },
  );

  describe(`on EventStoreDB, ${name},`, () => {
    let dispose: () => Promise<void>;
    let client: EventStoreDBClient;
    let credentials: Credentials;
    let store: EventStoreDbEventStore;
    let openLate: () => EventStoreDbEventStore;

    beforeAll(async () => {
      const server = await start();
      dispose = () => server.dispose();
      const connection = connectionTo(server.url);
      ({ client, credentials } = connection);
      store = openEventStoreDb(server.url, { answerTimeoutMs });
      openLate = () => openEventStoreDb(server.url, { answerTimeoutMs });
    });

    afterAll(async () => {
      await Promise.all([store.close(), client.dispose()]);
      await dispose();
    });

    test(
      'what other programs and the server itself write is not of the log',
      async () => {
        const foreign = (count: number) => writeForeign({ client, credentials }, count);
        const start = await store.head();
        await foreign(3);
        expect(await store.head()).toBeGreaterThan(start);
        const stream = freshStream();
        const first = newEvent();
        await store.append(stream, noStream, [first]);
        await foreign(1_200);
        const last = newEvent();
        const { position } = await store.append(stream, 0, [last]);
        await foreign(1_200);

        expect(await store.head()).toBeGreaterThan(position);
        expect((await wholeLog(store, start)).map(({ id }) => id)).toEqual([first.id, last.id]);
        expect(await lastEvent(store)).toMatchObject({ id: last.id });
        expect((await store.readAll(position, 10)).events).toEqual([]);
        const looks: LogPage[] = [];
        for await (const page of readLog(store, start)) looks.push(page);
        // Each look ends at a position of its own, and none at the end because what it saw was another's.
        expect(looks.map(({ isEnd }) => isEnd)).toEqual([...looks.slice(1).map(() => false), true]);
        expect(looks.map(({ through }) => through)).toEqual(
          looks.map(({ through }) => through).toSorted((a, b) => a - b),
        );
        expect(looks.at(-1)?.through).toBe(await store.head());
      },
      timeoutMs,
    );

    test('an append of more than the server takes is refused as input that will not do, and stores nothing', async () => {
      const stream = freshStream();
      const large = { ...newEvent(), data: { text: 'x'.repeat(largestAppend / 4) } };
      const events = Array.from({ length: 5 }, () => ({ ...large, id: newEvent().id }));
      await expect(store.append(stream, noStream, events)).rejects.toMatchObject({ kind: 'invalid-input' });
      expect(await store.readStream(stream, 0, 1)).toEqual([]);
    });

    test('an id that is no UUID never reaches the client', async () => {
      const stream = freshStream();
      for (const id of ['order-1', '', '00000000-0000-0000-0000-000000000000', newEvent().id.toUpperCase()]) {
        await expect(store.append(stream, noStream, [newEvent(id)])).rejects.toBeInstanceOf(RangeError);
      }
      expect(await store.append(stream, noStream, [newEvent()])).toMatchObject({ revision: 0 });
    });

    // What leaves marks in the log, which others on the same server would meet.
    const destructive = isShared ? test.skip : test;

    destructive("a stream named like ours is another program's if its first event is, whatever it holds", async () => {
      const start = await store.head();
      const [stream, next] = [freshStream(), newEvent()];
      const other = { client, credentials };
      await appendUnreadable(other, stream, noStream);
      await appendUnreadable(other, stream, 0);
      await setMetadata(other, stream, { truncateBefore: 1 });
      await appendUnreadable(other, stream, 1);
      await store.append(freshStream(), noStream, [next]);
      const seen = { events: [] as string[], marks: [] as StreamMark[] };
      for await (const { events, marks } of readLog(store, start, Infinity, 1)) {
        seen.events.push(...events.map(({ id }) => id));
        seen.marks.push(...marks);
      }
      expect(seen).toEqual({ events: [next.id], marks: [] });
      // One that begins to read in the middle learns it from the first event that is left.
      const late = openLate();
      const pages = [await late.readAll(start, 1_000), await late.readAllBackwards(Infinity, 10)];
      await late.close();
      expect(pages.flatMap(({ marks }) => marks)).toEqual([]);
      await expect(store.readStream(stream, 1, 10)).rejects.toMatchObject({ kind: 'stream-unreadable', revision: 1 });
    });

    destructive(
      'an event of ours whose data are not JSON, or which has lost its partition key, is marked',
      async () => {
        const start = await store.head();
        const [stream, other] = [freshStream(), freshStream()];
        const [event, keyless] = [wireEventOf(newEvent()), wireEventOf(newEvent())];
        const { partitionKey: _, ...metadata } = keyless.metadata as Record<string, unknown>;
        const write = (to: string, ...events: readonly EventData[]) =>
          client.appendToStream(to, [...events], { credentials, expectedRevision: NO_STREAM });
        await write(stream, { ...event, data: Buffer.from('no JSON') } as EventData);
        await write(other, { ...keyless, metadata });
        const { marks } = await store.readAll(start, 1_000);
        expect(marks).toMatchObject([
          { stream, revision: 0, detail: 'its stored body is not JSON' },
          { stream: other, revision: 0, detail: 'it has no partition key' },
        ]);
      },
    );

    destructive('a stream that is held to a number or an age of events is marked', async () => {
      const start = await store.head();
      const stream = freshStream();
      await store.append(stream, noStream, [newEvent(), newEvent(), newEvent()]);
      await setMetadata({ client, credentials }, stream, { maxCount: 2, maxAge: 3_600 });
      await expect(store.readStream(stream, 0, 10)).rejects.toMatchObject({ kind: 'stream-cut', firstRevision: 1 });
      expect((await store.readAll(start, 1_000)).marks).toMatchObject([
        { stream, why: 'metadata', detail: 'It is held to its last 2 events, held to events of the last 3600 s.' },
      ]);
    });

    destructive('metadata of a stream that never was do not say that it is cut', async () => {
      const stream = freshStream();
      await setMetadata({ client, credentials }, stream, { maxCount: 2 });
      expect(await store.cutOf(stream)).toBeUndefined();
    });

    test('the last events of an append, or its first, are a repeat of their own', async () => {
      const stream = freshStream();
      const [first, second, third] = [newEvent(), newEvent(), newEvent()];
      const whole = await store.append(stream, noStream, [first, second, third]);
      expect(await store.append(stream, 1, [third])).toEqual(whole);
      expect(await store.append(stream, 0, [second, third])).toEqual(whole);
      const [read] = await store.readStream(stream, 0, 1);
      expect(await store.append(stream, noStream, [first])).toEqual({ revision: 0, position: read?.position });
    });
  });
}
