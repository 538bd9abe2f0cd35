import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { systemClock, systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/config.js';
import { lockDataFolder } from '@waybill/infra/data-folder.js';
import { openEventStoreDb } from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { StandInServer } from '@waybill/infra/event-store/eventstoredb/testing/stand-in-server.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openMongoDbKeyStore } from '@waybill/infra/keys/mongodb/key-store.js';
import { openSqliteKeyStore } from '@waybill/infra/keys/sqlite/key-store.js';
import { describeWithServer, ScratchDatabase } from '@waybill/infra/mongodb/testing/server-under-test.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { Waybill } from './testing/waybill.js';

// Each test starts some processes.
jest.setTimeout(120_000);

const eventsOfSmall = 43;

let waybill: Waybill;
let server: StandInServer;

beforeEach(async () => {
  waybill = new Waybill();
  server = await StandInServer.listen();
});

afterEach(() => {
  waybill.remove();
  server.kill();
});

async function embedded(): Promise<readonly RecordedEvent[]> {
  const store = openSqliteEventStore(dataFiles(waybill.dataFolder).log, { clock: systemClock });
  const events = await store.readAll(0, Infinity);
  await store.close();
  return events;
}

async function copied(): Promise<readonly RecordedEvent[]> {
  const store = openEventStoreDb(server.url, { patienceMs: 20_000 });
  const events = await store.readAll(0, 100_000);
  await store.close();
  return events;
}

function withoutPositions(events: readonly RecordedEvent[]): readonly unknown[] {
  return events.map(({ position, ...event }) => event);
}

describe('waybill migrate', () => {
  test('copies the log, proves it, and says what is next; again it copies nothing', async () => {
    await waybill.importSmall();
    const { code, stdout } = await waybill.run('migrate', '--to', server.url);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Copied 43 events in \d+ appends \([\d,]+ events? a second\)\.\nEqual: 43 events, /);
    expect(new Set([...stdout.matchAll(/sha256 ([0-9a-f]{64})/g)].map(([, digest]) => digest)).size).toBe(1);
    expect(stdout).toMatch(`WAYBILL_EVENT_STORE=${server.url} `);
    expect(stdout).toMatch('Begin with empty read models');
    expect(withoutPositions(await copied())).toEqual(withoutPositions(await embedded()));
    const digest = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(await waybill.json('migrate', '--to', server.url)).toEqual({
      ok: true,
      events: eventsOfSmall,
      copied: 0,
      appends: 0,
      seconds: 0,
      digests: { source: digest, target: digest },
      difference: null,
      keys: null,
      clockBehindSeconds: 0,
    });
  });

  test('killed again and again, it goes on where it was and doubles nothing', async () => {
    await waybill.importSmall();
    for (const enough of [1, 4, 9, 17]) {
      const { child, ended } = waybill.start('migrate', '--to', server.url);
      await until(() => server.records >= enough);
      child.kill('SIGKILL');
      expect((await ended).code).toBeNull();
    }
    const there = server.records;
    expect(there).toBeLessThan(eventsOfSmall);
    const report = await waybill.json('migrate', '--to', server.url);
    expect(report).toMatchObject({ ok: true, events: eventsOfSmall, difference: null });
    expect(withoutPositions(await copied())).toEqual(withoutPositions(await embedded()));
  });

  test('leaves alone a target with other events, and ends with 1', async () => {
    await waybill.importSmall();
    const target = openEventStoreDb(server.url, { patienceMs: 20_000 });
    await target.append('order-other', -1, [newEvent()]);
    await target.close();
    const { code, stdout } = await waybill.run('migrate', '--to', server.url);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /The first difference is event 1 of the log:\n.*\n {2}the target {8}OrderPlaced .* of order-other\n/,
    );
    expect(server.records).toBe(1);
  });

  test('copies nothing while a server uses the folder: 3', async () => {
    await waybill.importSmall();
    const lock = lockDataFolder(waybill.dataFolder);
    const { code, stderr } = await waybill.run('migrate', '--to', server.url);
    lock?.release();
    expect(code).toBe(3);
    expect(stderr).toMatch(/^A server uses .*data, .* Stop it first\./);
    expect(server.records).toBe(0);
  });

  test('without a server there: 3, and how to go on', async () => {
    await waybill.importSmall();
    server.kill();
    const { code, stderr } = await waybill.run('migrate', '--to', server.url);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^EventStoreDB cannot be reached .*Run the same again: it goes on where it was\.\n$/);
  });

  test('without a log: 3, and no folder is made', async () => {
    const { code, stderr } = await waybill.run('migrate', '--to', server.url);
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringMatching(/^There is no log in /) });
  });
});

describeWithServer('waybill migrate, with read models in MongoDB', () => {
  const database = new ScratchDatabase();

  afterEach(() => database.dispose());

  test('gives MongoDB the keys, under the master key of the folder', async () => {
    await waybill.importSmall();
    const { keys: file, masterKey: masterKeyFile } = dataFiles(waybill.dataFolder);
    const source = { masterKeyFile, randomness: systemRandomness };
    const keys = openSqliteKeyStore({ ...source, file });
    const key = await keys.create('ada');
    await keys.create('bob');
    await keys.destroy('bob');
    await keys.close();
    waybill.environment = { WAYBILL_READ_STORE: database.url };
    for (let time = 0; time < 2; time += 1) {
      expect(await waybill.json('migrate', '--to', server.url)).toMatchObject({ ok: true, keys: 2 });
    }
    const moved = openMongoDbKeyStore({ ...source, url: database.url });
    expect(await moved.find('ada')).toEqual(key);
    expect(await moved.find('bob')).toBeUndefined();
    await moved.close();
  });
});
