import Database from 'better-sqlite3';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '../../infra/dist/clock/system.js';
import { startAppendWorker } from '../../infra/dist/event-store/sqlite/append-worker.js';
import { openSqliteEventStore } from '../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { orderPlaced } from '../sample-events.mjs';
import { inScratchFolder } from '../scratch.mjs';

const appends = 30_000;
const inFlight = 64;

export const append = {
  name: 'append',
  what: `event store: single-event appends, ${inFlight} in flight, durable`,
  against: `raw \`better-sqlite3\` inserts of the same rows, ${inFlight} a transaction`,
  unit: 'events/s',
  atLeast: 0.6,
  sides: async () => ({
    ours: () => inScratchFolder((folder) => ours(folder)),
    theirs: () => inScratchFolder((folder) => theirs(folder)),
  }),
};

function newOrders() {
  return Array.from({ length: appends }, () => orderPlaced(randomUUID()));
}

async function ours(folder) {
  const file = join(folder, 'log.sqlite');
  const worker = await startAppendWorker(file);
  const store = openSqliteEventStore(file, { clock: systemClock, appender: worker.port() });
  const orders = newOrders();
  const begin = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let order = orders[next++]; order !== undefined; order = orders[next++]) {
        await store.append(`order-${order.partitionKey}`, -1, [order]);
      }
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  await store.close();
  await worker.close();
  return appends / seconds;
}

/** The same table, index, durability and rows, without anything that makes it an event store. */
async function theirs(folder) {
  const database = new Database(join(folder, 'raw.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(
    `CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, revision INTEGER NOT NULL,
       recorded_at TEXT NOT NULL, body TEXT NOT NULL) STRICT;
     CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);`,
  );
  const insert = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)');
  const orders = newOrders();
  const begin = performance.now();
  for (let start = 0; start < appends; start += inFlight) {
    database.exec('BEGIN IMMEDIATE');
    for (const [index, order] of orders.slice(start, start + inFlight).entries()) {
      insert.run(start + index + 1, `order-${order.partitionKey}`, 0, order.occurredAt, JSON.stringify(order));
    }
    database.exec('COMMIT');
  }
  const seconds = (performance.now() - begin) / 1000;
  database.close();
  return appends / seconds;
}
