import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { orderPlaced } from '../sample-events.mjs';
import { inScratchFolder } from '../scratch.mjs';

export const appendOne = {
  name: 'append-one',
  what: 'event store: single appends, one in flight, durable, in the thread of the caller',
  against: '`@event-driven-io/emmett-sqlite` 0.38.5, the same',
  unit: 'events/s',
  atLeast: 10,
  sides: async () => ({
    ours: () => inScratchFolder(ours),
    theirs: () => inScratchFolder(theirs),
  }),
};

async function ours(folder) {
  const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock: systemClock });
  const rate = await rateOf(5_000, (order) => store.append(`order-${order.partitionKey}`, -1, [order]));
  await store.close();
  return rate;
}

async function theirs(folder) {
  // Its driver is compiled for the machine, where it can be: the other cases do without.
  const { getSQLiteEventStore } = await import('@event-driven-io/emmett-sqlite');
  const store = getSQLiteEventStore({ fileName: join(folder, 'emmett.sqlite') });
  const append = ({ partitionKey, type, data, ...metadata }) =>
    store.appendToStream(`order-${partitionKey}`, [{ type, data, metadata }], {
      expectedStreamVersion: 'STREAM_DOES_NOT_EXIST',
    });
  // The first one makes the tables.
  await append(orderPlaced(randomUUID()));
  return rateOf(1_000, append);
}

async function rateOf(count, append) {
  const orders = Array.from({ length: count }, () => orderPlaced(randomUUID()));
  const begin = performance.now();
  for (const order of orders) await append(order);
  return count / ((performance.now() - begin) / 1000);
}
