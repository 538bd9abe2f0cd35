import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/config.js';
import { openEventStoreDb } from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { StandInServer } from '@waybill/infra/event-store/eventstoredb/testing/stand-in-server.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { migrateLog } from '@waybill/projections/migrate/migrate-log.js';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { followedLog, isMadeFrom } from '@waybill/shared-kernel/log-identity.js';
import type { EventStore, SubscriptionBatch } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { runCommandLine } from './support/command-line.js';
import { startServer } from './support/server.js';

let folder: string;
let readStore: ReadStore;
let log: EventStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-log-identity-'));
  readStore = openSqliteReadStore(join(folder, 'read-models.sqlite'));
  log = new MemoryEventStore(systemClock);
});

afterEach(async () => {
  await readStore.close();
  await log.close();
  rmSync(folder, { recursive: true });
});

async function firstBatch(of: EventStore): Promise<SubscriptionBatch | undefined> {
  const over = new AbortController();
  for await (const batch of of.subscribe(0, 10, over.signal)) {
    over.abort();
    return batch;
  }
  return undefined;
}

describe('a log that is followed', () => {
  test('is read as it is, and noted with its first event', async () => {
    const followed = followedLog(log, readStore);
    expect(await followed.readAll(0, 10)).toEqual([]);
    expect(await readStore.madeFrom()).toBeUndefined();
    const event = newEvent();
    await followed.append('order-1', -1, [event]);
    for (let time = 0; time < 2; time += 1) {
      expect(await followed.readAll(0, 10)).toMatchObject([{ id: event.id }]);
      expect(await followed.readAllBackwards(Infinity, 10)).toMatchObject([{ id: event.id }]);
      expect(await followed.head()).toBe(1);
      expect(await firstBatch(followed)).toMatchObject({ events: [{ id: event.id }] });
      expect(await readStore.madeFrom()).toBe(`1:${event.id}`);
    }
    expect(await isMadeFrom(log, readStore)).toBe(true);
  });

  test.each([
    ['another one', async (other: EventStore) => other.append('order-1', -1, [newEvent()])],
    ['one without events', () => Promise.resolve()],
  ])('with the positions of %s is not read by position, each time', async (_, fill) => {
    await log.append('order-1', -1, [newEvent()]);
    await followedLog(log, readStore).head();
    const other = new MemoryEventStore(systemClock);
    await fill(other);
    const followed = followedLog(other, readStore);
    for (let time = 0; time < 2; time += 1) {
      await expect(followed.readAll(0, 10)).rejects.toThrow(BadDataFile);
      await expect(followed.readAllBackwards(Infinity, 10)).rejects.toThrow(BadDataFile);
      await expect(followed.head()).rejects.toThrow('made from another log than this one');
      await expect(firstBatch(followed)).rejects.toThrow(BadDataFile);
    }
    expect(await isMadeFrom(other, readStore)).toBe(false);
  });

  test('is another one once it is in EventStoreDB: the events are the same, the positions are not', async () => {
    const server = await StandInServer.listen();
    const target = openEventStoreDb(server.url, { patienceMs: 20_000 });
    await log.append('order-1', -1, [newEvent()]);
    await followedLog(log, readStore).head();
    await migrateLog({ source: log, target, clock: systemClock });
    await expect(followedLog(target, readStore).readAll(1, 10)).rejects.toThrow('made from another log');
    await target.close();
    server.kill();
  });
});

test('a server whose read models are of another log says so, and answers nothing from them', async () => {
  const data = join(folder, 'data');
  mkdirSync(data);
  const made = openSqliteReadStore(dataFiles(data).readModels);
  await made.noteMadeFrom('1:another');
  await made.close();
  const server = await startServer(data);
  await until(() => server.output().includes('made from another log than this one'));
  const ready = await fetch(`${server.readUrl}/readyz`);
  expect(ready.status).toBe(503);
  const { stdout } = await runCommandLine(data, ['token', '--role', 'operator', '--sub', 'me']);
  const orders = await fetch(`${server.readUrl}/v1/orders`, { headers: { authorization: `Bearer ${stdout.trim()}` } });
  expect(orders.status).toBe(500);
  await server.stop('SIGTERM');
}, 60_000);
