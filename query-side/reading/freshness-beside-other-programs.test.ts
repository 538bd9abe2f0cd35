import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemClock as clock } from '@waybill/infra/clock/system.js';
import {
  openEventStoreDb,
  type EventStoreDbEventStore,
} from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { StandInServer } from '@waybill/infra/event-store/eventstoredb/testing/stand-in-server.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { catchUp } from '@waybill/projections/projecting/catch-up.js';
import { lagGauge } from './freshness.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { placed } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';

let server: StandInServer;
let log: EventStoreDbEventStore;
let readStore: ReadStore;

beforeEach(async () => {
  server = await StandInServer.listen();
  log = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
  readStore = openSqliteReadStore(':memory:');
});

afterEach(async () => {
  await Promise.all([log.close(), readStore.close()]);
  server.kill();
});

/** How many reads of the server it takes to say how fresh the orders are, for one who has not asked before. */
async function readsOfAnOrder(): Promise<number> {
  const before = server.reads;
  expect(await lagGauge(orders, { store: log, readStore, clock, steadyClock }).lags()).toEqual(
    Array<number>(partitionCount).fill(0),
  );
  return server.reads - before;
}

test('what a read of an order costs does not grow with what other programs write behind the last event of ours', async () => {
  await appendAll(log, [placed('o1'), placed('o2')]);
  await catchUp([orders], { store: log, readStore, clock });
  const alone = await readsOfAnOrder();
  server.write('foreign-1', 'Foreign', 3_000);
  // One page at the end of the log, and perhaps one that is read in the background meanwhile.
  await until(async () => (await readsOfAnOrder()) <= alone + 2);
});

test('nor with the links that the standard projections put behind each event', async () => {
  server.project();
  await appendAll(log, [placed('o1'), placed('o2')]);
  await catchUp([orders], { store: log, readStore, clock });
  const alone = await readsOfAnOrder();
  for (let index = 0; index < 500; index += 1) server.write(`foreign-${index}`, 'Foreign', 1);
  await until(async () => (await readsOfAnOrder()) <= alone + 2);
});
