import { randomUUID } from 'node:crypto';
import { FORWARDS, jsonEvent, NO_STREAM, START } from '@eventstore/db-client';
import { connectionTo } from '../../../infra/dist/event-store/eventstoredb/connection.js';
import { openEventStoreDb } from '../../../infra/dist/event-store/eventstoredb/eventstoredb-event-store.js';
import { wireEventOf } from '../../../infra/dist/event-store/eventstoredb/wire-event.js';
import { startWaybill } from '../../process.mjs';
import { median } from '../../rounds.mjs';
import { orderPlaced } from '../../sample-events.mjs';
import { lastingScratchFolder } from '../../scratch.mjs';
import { eventStoreDb, hasEventStoreDb } from '../../servers.mjs';
import { openShop } from '../../shop.mjs';

const appends = Number(process.env.WAYBILL_BENCH_APPENDS ?? 12_000);
const inFlight = 32;
const pageSize = 1000;

/** Of a case: what it is called where no server is named or started, and in the row that then says so. */
function named(what) {
  if (hasEventStoreDb) return { what: `EventStoreDB: ${what}` };
  return {
    standsFor: `EventStoreDB: ${what} (WAYBILL_TEST_ESDB and WAYBILL_TEST_ESDB_START name none)`,
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

    const ours = () => readEvents(store, before);
    const theirs = () => readRaw({ client, credentials }, before);
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

const others = 9;

export const eventStoreDbReadShared = {
  name: 'esdb-read-shared',
  ...named(`looking at ${(appends * 2).toLocaleString('en')} records, of which nine in ten are another program's`),
  against: 'the raw client reading the same pages',
  unit: 'records/s',
  atLeast: 0.9,
  async sides() {
    const url = await eventStoreDb();
    const { client, credentials } = connectionTo(url);
    const store = openEventStoreDb(url);
    const before = await store.head();
    const orders = Array.from({ length: (appends * 2) / (others + 1) }, () => orderPlaced(randomUUID()));
    await all(orders, async (order) => {
      await store.append(`order-${order.partitionKey}`, -1, [order]);
      await appendForeign({ client, credentials }, others);
    });
    await store.close();
    const rate = (read) => async () => {
      let found;
      const seconds = await timed(async () => (found = await read()));
      if (found < orders.length) throw new Error(`found ${found} of ${orders.length} events`);
      return (orders.length * (others + 1)) / seconds;
    };
    return {
      // Each time one that has looked at nothing yet: what it has looked through it need not look at again.
      ours: async () => {
        const fresh = openEventStoreDb(url);
        const measured = await rate(() => readEvents(fresh, before))();
        await fresh.close();
        return measured;
      },
      theirs: rate(() => readRaw({ client, credentials }, before)),
      close: () => client.dispose(),
    };
  },
};

const reads = 1_000;

export const readOrderBeside = {
  name: 'esdb-read-order',
  ...named('`GET /v1/orders/{id}`, one after the other, while another program appends 100 events a second: median'),
  against: 'the same while it appends none',
  unit: 'ms',
  atMost: 1.5,
  async sides() {
    const url = await eventStoreDb();
    const { client, credentials } = connectionTo(url);
    const { folder, remove } = lastingScratchFolder();
    const waybill = await startWaybill(folder, { WAYBILL_EVENT_STORE: url });
    // The log may hold those of earlier runs.
    const [productId, customerId] = [`p-${randomUUID()}`, `c-${randomUUID()}`];
    const { token, registerCustomer } = await openShop(folder, waybill, productId);
    await registerCustomer(customerId);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = { customerId, lines: [{ productId, quantity: 1 }], payment: { token: 'tok_approve' } };
    const placed = await fetch(`${waybill.writeUrl}/v1/orders`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': customerId },
      body: JSON.stringify(body),
    });
    const { orderId } = await placed.json();
    const read = () => fetch(`${waybill.readUrl}/v1/orders/${orderId}`, { headers });
    while ((await read()).status !== 200);

    async function medianOfReads() {
      const times = [];
      for (let count = 0; count < reads; count += 1) {
        times.push(await timed(async () => (await read()).arrayBuffer()));
      }
      return median(times) * 1000;
    }
    await medianOfReads();
    return {
      ours: async () => {
        const over = new AbortController();
        const writing = appendEvery(10, { client, credentials }, over.signal);
        try {
          return await medianOfReads();
        } finally {
          over.abort();
          await writing;
        }
      },
      theirs: medianOfReads,
      close: async () => {
        await waybill.stop();
        await client.dispose();
        remove();
      },
    };
  },
};

/** Events of ours after a position. */
async function readEvents(store, after) {
  let read = 0;
  for (let position = after; ;) {
    const page = await store.readAll(position, pageSize);
    read += page.events.length;
    if (page.isEnd) return read;
    position = page.through;
  }
}

/** Events of programs, ours and others', after a position. A page begins with the event with which the one before it ended. */
async function readRaw({ client, credentials }, after) {
  let read = 0;
  for (let from = after === 0 ? START : { commit: BigInt(after), prepare: BigInt(after) }; ;) {
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

function appendForeign({ client, credentials }, count) {
  const events = Array.from({ length: count }, () => jsonEvent({ type: 'PageViewed', data: { page: randomUUID() } }));
  return client.appendToStream(`visitor-${randomUUID()}`, events, { credentials });
}

async function appendEvery(milliseconds, connection, signal) {
  while (!signal.aborted) {
    await appendForeign(connection, 1);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}

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
