import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { jsonEvent, NO_STREAM, type Credentials, type EventStoreDBClient } from '@eventstore/db-client';
import { eventStoreContract } from '@waybill/shared-kernel/ports/event-store.contract.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { connectionTo } from './connection.js';
import { EventStoreDbEventStore, openEventStoreDb } from './eventstoredb-event-store.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { esdbUrl, servers } from './testing/server-under-test.js';

if (esdbUrl === '') {
  describe.skip('EventStoreDB itself', () => {
    test('needs WAYBILL_TEST_ESDB=esdb://…', () => undefined);
  });
}

const timeoutMs = 120_000;
/** Machines that run tests are slower than any time-out that suits a server. */
const patienceMs = 20_000;
/** Of a server that is not set up otherwise. */
const largestAppend = 1024 * 1024;

for (const { name, start } of servers) {
  eventStoreContract(
    `EventStoreDB, ${name}`,
    async () => {
      const { url, stop } = await start();
      const store = openEventStoreDb(url, { patienceMs });
      const another = openEventStoreDb(url, { patienceMs });
      return {
        store,
        another,
        async dispose() {
          await Promise.all([store.close(), another.close()]);
          stop();
        },
      };
    },
    { largestAppend, timeoutMs },
  );

  describe(`on EventStoreDB, ${name},`, () => {
    let stop: () => void;
    let client: EventStoreDBClient;
    let credentials: Credentials;
    let store: EventStoreDbEventStore;

    beforeAll(async () => {
      const server = await start();
      stop = () => server.stop();
      const connection = connectionTo(server.url);
      ({ client, credentials } = connection);
      store = new EventStoreDbEventStore(connection, { patienceMs });
    });

    afterAll(async () => {
      await store.close();
      stop();
    });

    test(
      'what other programs and the server itself write is not of the log',
      async () => {
        const foreign = (count: number) =>
          client.appendToStream(
            `foreign-${freshStream()}`,
            Array.from({ length: count }, () => jsonEvent({ type: 'Foreign', data: {} })),
            { credentials, expectedRevision: NO_STREAM },
          );
        const start = await store.head();
        await foreign(3);
        expect(await store.head()).toBe(start);
        const stream = freshStream();
        const first = newEvent();
        await store.append(stream, noStream, [first]);
        await foreign(1_200);
        const last = newEvent();
        const { position } = await store.append(stream, 0, [last]);
        await foreign(1_200);

        expect(await store.head()).toBe(position);
        expect((await store.readAll(start, 2)).map(({ id }) => id)).toEqual([first.id, last.id]);
        expect((await store.readAllBackwards(Infinity, 2)).map(({ id }) => id)).toEqual([last.id, first.id]);
        expect(await store.readAll(position, 10)).toEqual([]);
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

// A stream's life after deletion is the server's own doing: nothing stands in for it.
(esdbUrl === '' ? describe.skip : describe)('on EventStoreDB itself,', () => {
  const connect = () => {
    const connection = connectionTo(esdbUrl);
    return { ...connection, store: new EventStoreDbEventStore(connection, { patienceMs }) };
  };

  test('a stream that was soft-deleted is empty, and takes events at revisions that go on', async () => {
    const { client, credentials, store } = connect();
    const stream = freshStream();
    await store.append(stream, noStream, [newEvent(), newEvent()]);
    await client.deleteStream(stream, { credentials });
    expect(await store.readStream(stream, 0, 10)).toEqual([]);
    expect(await store.append(stream, noStream, [newEvent()])).toMatchObject({ revision: 2 });
    await store.close();
  });

  test('a stream that was tombstoned says so, and the log goes on without it', async () => {
    const { client, credentials, store } = connect();
    const stream = freshStream();
    const start = await store.head();
    await store.append(stream, noStream, [newEvent()]);
    await client.tombstoneStream(stream, { credentials });
    await expect(store.readStream(stream, 0, 10)).rejects.toThrow('tombstoned');
    await expect(store.append(stream, 0, [newEvent()])).rejects.toThrow('tombstoned');
    const event = newEvent();
    await store.append(freshStream(), noStream, [event]);
    expect((await store.readAll(start, 10)).map(({ id }) => id)).toContain(event.id);
    await store.close();
  });
});
