import { randomUUID } from 'node:crypto';
import { FORWARDS, NO_STREAM, START } from '@eventstore/db-client';
import { connectionTo } from '../../../infra/dist/event-store/eventstoredb/connection.js';
import { openEventStoreDb } from '../../../infra/dist/event-store/eventstoredb/eventstoredb-event-store.js';
import { wireEventOf } from '../../../infra/dist/event-store/eventstoredb/wire-event.js';
import { orderPlaced } from '../../sample-events.mjs';
import { eventStoreDb, namedEventStoreDb } from '../../servers.mjs';

const appends = Number(process.env.WAYBILL_BENCH_APPENDS ?? 12_000);
const inFlight = 32;
const pageSize = 1000;

/** Of a case: what it is called where WAYBILL_TEST_ESDB names no server, and in the row that then says so. */
function named(what) {
  if (namedEventStoreDb !== undefined) return { what: `EventStoreDB: ${what}` };
  return {
    standsFor: `EventStoreDB: ${what} (WAYBILL_TEST_ESDB names no server)`,
    what: `the same with a small program that stands in for EventStoreDB: what the adapter costs, nothing about a server`,
  };
}

export const eventStoreDbAppend = {
  name: 'esdb-append',
  ...named(`single-event appends to new streams, ${inFlight} in flight`),
  against: 'the raw client on the same path (a call for each append, credentials), the same events',
  unit: 'events/s',
  atLeast: 0.9,
  async sides() {
    const url = await eventStoreDb();
    const store = openEventStoreDb(url);
    const { client, credentials } = connectionTo(url);
    const options = { expectedRevision: NO_STREAM, credentials, requiresLeader: true };
    const append = {
      ours: (stream, event) => store.append(stream, -1, [event]),
      theirs: (stream, event) => client.appendToStream(stream, [wireEventOf(event)], options),
    };
    const rate = (side, count) => async () => {
      const orders = Array.from({ length: count }, () => orderPlaced(randomUUID()));
      return count / (await timed(() => all(orders, (order) => append[side](`order-${order.partitionKey}`, order))));
    };
    for (const side of ['theirs', 'ours']) await rate(side, appends / 4)();
    return {
      ours: rate('ours', appends),
      theirs: rate('theirs', appends),
      close: async () => {
        await store.close();
        await client.dispose();
      },
    };
  },
};

export const eventStoreDbReadAll = {
  name: 'esdb-read-all',
  ...named(`reading ${(appends * 2).toLocaleString('en')} events of the log, ${pageSize.toLocaleString('en')} at once`),
  against: 'the raw client reading the same pages',
  unit: 'events/s',
  atLeast: 0.9,
  async sides() {
    const url = await eventStoreDb();
    const store = openEventStoreDb(url);
    const { client, credentials } = connectionTo(url);
    const before = await store.head();
    const orders = Array.from({ length: appends * 2 }, () => orderPlaced(randomUUID()));
    await all(orders, (order) => store.append(`order-${order.partitionKey}`, -1, [order]));

    async function ours() {
      let read = 0;
      for (let position = before; ;) {
        const page = await store.readAll(position, pageSize);
        read += page.length;
        if (page.length < pageSize) return read;
        position = page.at(-1).position;
      }
    }

    /** A page begins with the event with which the one before it ended. */
    async function theirs() {
      let read = 0;
      for (let from = before === 0 ? START : { commit: BigInt(before), prepare: BigInt(before) }; ;) {
        let first = from !== START;
        let count = 0;
        const page = client.readAll({
          fromPosition: from,
          maxCount: pageSize + 1,
          direction: FORWARDS,
          credentials,
          requiresLeader: true,
        });
        for await (const { event } of page) {
          count += 1;
          from = event.position;
          if (!first && !event.type.startsWith('$')) read += 1;
          first = false;
        }
        if (count < pageSize) return read;
      }
    }

    for (const side of [theirs, ours]) await side();
    const rate = (side) => async () => {
      let read;
      const seconds = await timed(async () => (read = await side()));
      if (read < orders.length) throw new Error(`read ${read} of ${orders.length} events`);
      return read / seconds;
    };
    return {
      ours: rate(ours),
      theirs: rate(theirs),
      close: async () => {
        await store.close();
        await client.dispose();
      },
    };
  },
};

async function timed(work) {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** Does something with each, so many at once. */
async function all(items, work) {
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < items.length) await work(items[next++]);
    }),
  );
}
