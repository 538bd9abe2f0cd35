import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { systemClock, systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { lockDataFolder } from '@waybill/infra/process/data-folder.js';
import { openEventStoreDb } from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import {
  noteMissingServers,
  ownServers,
  type RunningServer,
} from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openMongoDbKeyStore } from '@waybill/infra/keys/mongodb/key-store.js';
import { openSqliteKeyStore } from '@waybill/infra/keys/sqlite/key-store.js';
import { freePort } from '@waybill/infra/testing/loopback-port.js';
import { describeWithServer, ScratchDatabase } from '@waybill/infra/mongodb/testing/server-under-test.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { serviceSubject } from '@waybill/shared-kernel/ports/keys.js';
import { Waybill } from './testing/waybill.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

// Each test starts some processes.
jest.setTimeout(120_000);

const eventsOfSmall = 43;

let waybill: Waybill;
let server: RunningServer;

beforeEach(() => {
  waybill = new Waybill();
});

afterEach(async () => {
  waybill.remove();
  await server.dispose();
});

noteMissingServers();

async function embedded(): Promise<readonly RecordedEvent[]> {
  const store = openSqliteEventStore(dataFiles(waybill.dataFolder).log, { clock: systemClock });
  const events = await wholeLog(store);
  await store.close();
  return events;
}

async function copied(): Promise<readonly RecordedEvent[]> {
  const store = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
  const events = await wholeLog(store);
  await store.close();
  return events;
}

function withoutPositions(events: readonly RecordedEvent[]): readonly unknown[] {
  return events.map(({ position, ...event }) => event);
}

describe.each(ownServers)('waybill migrate, $name', ({ start }) => {
  beforeEach(async () => {
    server = await start();
  });

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
    const target = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
    for (const enough of [1, 4, 9, 17]) {
      const { child, ended } = waybill.start('migrate', '--to', server.url);
      await until(async () => (await wholeLog(target)).length >= enough);
      child.kill('SIGKILL');
      expect((await ended).code).toBeNull();
    }
    const there = await wholeLog(target);
    await target.close();
    expect(there.length).toBeLessThan(eventsOfSmall);
    const report = await waybill.json('migrate', '--to', server.url);
    expect(report).toMatchObject({ ok: true, events: eventsOfSmall, difference: null });
    expect(withoutPositions(await copied())).toEqual(withoutPositions(await embedded()));
  });

  test('leaves alone a target with other events, and ends with 1', async () => {
    await waybill.importSmall();
    const target = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
    await target.append('order-other', -1, [newEvent()]);
    await target.close();
    const { code, stdout } = await waybill.run('migrate', '--to', server.url);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /The first difference is event 1 of the log:\n.*\n {2}the target {8}OrderPlaced .* of order-other\n/,
    );
    expect(await copied()).toHaveLength(1);
  });

  test('and gives no key away where the logs differ', async () => {
    await waybill.importSmall();
    const { keys: file, masterKey: masterKeyFile } = dataFiles(waybill.dataFolder);
    const keys = openSqliteKeyStore({ file, masterKeyFile, randomness: systemRandomness });
    await keys.create('ada');
    await keys.close();
    const target = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
    await target.append('order-other', -1, [newEvent()]);
    await target.close();
    // Nobody is there: whoever gave a key away would not end with 1.
    waybill.environment = { WAYBILL_READ_STORE: `mongodb://127.0.0.1:${await freePort()}` };
    const { code, stdout } = await waybill.run('migrate', '--to', server.url, '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { ok: false, keys: null }]);
  });

  test('copies nothing while a server uses the folder: 3', async () => {
    await waybill.importSmall();
    const lock = lockDataFolder(waybill.dataFolder);
    const { code, stderr } = await waybill.run('migrate', '--to', server.url);
    lock?.release();
    expect(code).toBe(3);
    expect(stderr).toMatch(/^A server uses .*data, .* Stop it first\./);
    expect(await copied()).toEqual([]);
  });

  test('copies nothing of a log of which something cannot be had, and names it: 3', async () => {
    await waybill.importSmall();
    const log = openLog(dataFiles(waybill.dataFolder).log);
    log.prepare(`UPDATE events SET body = 'x' WHERE position = (SELECT MAX(position) FROM events)`).run();
    log.prepare(`DELETE FROM events WHERE stream = 'order-delivered-1' AND revision = 0`).run();
    log.close();
    const { code, stderr } = await waybill.run('migrate', '--to', server.url);
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /Nothing was copied\.\n {2}The event at revision \d+ of stream \S+, position 43, cannot be read: /,
    );
    expect(stderr).toMatch('Stream order-delivered-1 was cut: the first event that is left has revision 1.');
    expect(await copied()).toEqual([]);
  });

  test('without a server there: 3, and how to go on', async () => {
    await waybill.importSmall();
    await server.kill();
    const { code, stderr } = await waybill.run('migrate', '--to', server.url);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^EventStoreDB cannot be reached .*Run the same again: it goes on where it was\.\n$/);
  });

  test('without a log: 3, and no folder is made', async () => {
    const { code, stderr } = await waybill.run('migrate', '--to', server.url);
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringMatching(/^There is no log in /) });
  });
});

describeWithServer.each(ownServers)('waybill migrate, with read models in MongoDB, $name', ({ start }) => {
  const database = new ScratchDatabase();

  beforeEach(async () => {
    server = await start();
  });

  afterEach(() => database.dispose());

  test('gives MongoDB the keys, under the master key of the folder', async () => {
    await waybill.importSmall();
    const { keys: file, masterKey: masterKeyFile } = dataFiles(waybill.dataFolder);
    const source = { masterKeyFile, randomness: systemRandomness };
    const keys = openSqliteKeyStore({ ...source, file });
    const key = await keys.create('ada');
    const serviceKey = await keys.create(serviceSubject);
    await keys.create('bob');
    await keys.destroy('bob');
    await keys.close();
    waybill.environment = { WAYBILL_READ_STORE: database.url };
    for (let time = 0; time < 2; time += 1) {
      expect(await waybill.json('migrate', '--to', server.url)).toMatchObject({ ok: true, keys: 3 });
    }
    const moved = openMongoDbKeyStore({ ...source, url: database.url });
    expect(await moved.find('ada')).toEqual(key);
    expect(await moved.create(serviceSubject)).toEqual(serviceKey);
    expect(await moved.find('bob')).toBeUndefined();
    await moved.close();
  });
});
