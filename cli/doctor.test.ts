import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSilence, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  amqpUrl,
  describeWithServer as describeWithRabbitMq,
} from '@waybill/infra/broker/rabbitmq/testing/server-under-test.js';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { connectionTo } from '@waybill/infra/event-store/eventstoredb/connection.js';
import { ownServers } from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { openSqliteKeyStore } from '@waybill/infra/keys/sqlite/key-store.js';
import { freePort } from '@waybill/infra/testing/loopback-port.js';
import {
  describeWithServer as describeWithMongoDb,
  ScratchDatabase,
} from '@waybill/infra/mongodb/testing/server-under-test.js';
import { Database } from '@waybill/infra/sqlite/database.js';
import { MongoClient } from 'mongodb';
import type { Check } from './doctor/check.js';
import { Waybill } from './testing/waybill.js';

// Each test starts some processes.
jest.setTimeout(120_000);

let waybill: Waybill;
const ending: (() => Promise<void>)[] = [];

beforeEach(() => {
  waybill = new Waybill();
  waybill.environment = { WAYBILL_WRITE_PORT: '0', WAYBILL_READ_PORT: '0' };
});

afterEach(async () => {
  waybill.remove();
  for (const end of ending.splice(0).reverse()) await end();
});

function also(environment: Readonly<Record<string, string>>): void {
  waybill.environment = { ...waybill.environment, ...environment };
}

interface Report {
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

async function doctor(): Promise<{ readonly code: number | null; readonly report: Report; readonly found: string }> {
  const { code, stdout, stderr } = await waybill.run('doctor', '--json');
  expect(stderr).toBe('');
  const report = JSON.parse(stdout) as Report;
  // How much room there is, is the machine's own affair.
  const odd = report.checks.filter(({ name, state }) => name !== 'disk' && (state === 'bad' || state === 'warning'));
  for (const { mend } of odd) expect(mend).toEqual(expect.any(String));
  return { code, report, found: odd.map(({ name, state, detail }) => `${state} ${name}: ${detail}`).join('\n') };
}

describe('waybill doctor', () => {
  test('finds nothing where nothing was started yet, and makes nothing', async () => {
    expect(await doctor()).toMatchObject({ code: 0, found: '', report: { ok: true } });
    expect(existsSync(waybill.dataFolder)).toBe(false);
    const { stdout } = await waybill.run('doctor');
    expect(stdout).toMatch(/good +node +Node \d+/);
    expect(stdout).toMatch(/\nAll is well\.\n$/);
  });

  test('finds nothing in a folder as the programs leave it', async () => {
    await waybill.importSmall();
    const { code, found, report } = await doctor();
    expect({ code, found }).toEqual({ code: 0, found: '' });
    expect(report.checks).toContainEqual({
      name: 'log file',
      state: 'good',
      detail: `${dataFiles(waybill.dataFolder).log}, whole`,
    });
    expect(report.checks).toContainEqual({ name: 'progress of orders.v2', state: 'good', detail: 'up to date' });
  });

  test('names a variable that is wrong, without its password: 1', async () => {
    also({ WAYBILL_BROKER: 'http://user:secret@host', WAYBILL_WRITE_PORT: '70000' });
    const { code, found, report } = await doctor();
    expect(code).toBe(1);
    expect(report.ok).toBe(false);
    expect(found).toMatch(/bad WAYBILL_BROKER: .*amqp:\/\//);
    expect(found).toMatch(/bad WAYBILL_WRITE_PORT: /);
    expect(JSON.stringify(report)).not.toMatch('secret');
  });

  test('names each server that is not there: 3', async () => {
    const port = await freePort();
    also({
      WAYBILL_EVENT_STORE: `esdb://127.0.0.1:${port}?tls=false`,
      WAYBILL_BROKER: `amqp://127.0.0.1:${port}`,
      WAYBILL_READ_STORE: `mongodb://127.0.0.1:${port}`,
      WAYBILL_OIDC_ISSUER: 'https://id.example',
      WAYBILL_JWKS_URL: `http://127.0.0.1:${port}/keys`,
      WAYBILL_PAYMENT_URL: `http://us:password@127.0.0.1:${port}`,
      WAYBILL_WEBHOOK_SECRET: 'secret',
    });
    const { code, found, report } = await doctor();
    expect(code).toBe(3);
    expect(JSON.stringify(report)).not.toMatch(/us:password|"secret/);
    for (const name of ['event store', 'broker', 'read store', 'payment gateway', 'identity provider']) {
      expect(found).toMatch(new RegExp(`^bad ${name}: `, 'm'));
    }
  });

  test('names each server that takes connections and says nothing, and ends: 3', async () => {
    const lines = new Set<Socket>();
    const silent = createSilence((line) => lines.add(line));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    also({
      WAYBILL_EVENT_STORE: `esdb://127.0.0.1:${port}?tls=false`,
      WAYBILL_BROKER: `amqp://127.0.0.1:${port}`,
      WAYBILL_READ_STORE: `mongodb://127.0.0.1:${port}`,
    });
    const { code, found } = await doctor();
    const status = await waybill.run('status');
    for (const line of lines) line.destroy();
    silent.close();
    expect(code).toBe(3);
    for (const name of ['event store', 'broker', 'read store'])
      expect(found).toMatch(new RegExp(`^bad ${name}: `, 'm'));
    expect(status.code).toBe(3);
  });

  test('names a folder that cannot be written: 1', async () => {
    mkdirSync(waybill.dataFolder, { mode: 0o500 });
    expect(await doctor()).toMatchObject({
      code: 1,
      found: expect.stringMatching(/bad data folder: .* cannot be written/),
    });
    expect((await waybill.run('doctor')).stdout).toMatch(/BAD +data folder .*\n +→ .*chmod u\+rwx/);
  });

  test('names a folder that is none: 1', async () => {
    writeFileSync(waybill.dataFolder, '');
    expect(await doctor()).toMatchObject({ code: 1, found: expect.stringMatching(/bad data folder: .* is no folder/) });
  });

  test('names keys that others can read: 1', async () => {
    expect(await waybill.run('token', '--role', 'operator', '--sub', 'me')).toMatchObject({ code: 0 });
    chmodSync(dataFiles(waybill.dataFolder).developmentKey, 0o644);
    const { code, found } = await doctor();
    expect(code).toBe(1);
    expect(found).toMatch(/bad permissions of development-key\.json: .*everybody on this machine \(mode 644\)/);
  });

  test('names a port that another program listens at: 1', async () => {
    const stranger = createServer((_request, response) => response.end('{}'));
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const { port } = stranger.address() as AddressInfo;
    also({ WAYBILL_READ_PORT: String(port) });
    const { code, found } = await doctor();
    stranger.close();
    expect({ code, found }).toEqual({
      code: 1,
      found: `bad port of read API: ${port} of 127.0.0.1 is used by another program.`,
    });
  });

  test('names an address that is not of this machine: 1', async () => {
    also({ WAYBILL_HOST: '192.0.2.1', WAYBILL_WRITE_PORT: '4000' });
    expect(await doctor()).toMatchObject({
      code: 1,
      found: expect.stringMatching(/bad port of write API: 4000 of 192\.0\.2\.1/),
    });
  });

  test('names files that are damaged, of a newer version, or of another master key: 1', async () => {
    await waybill.importSmall();
    const { log, readModels, snapshots, keys: file, masterKey: masterKeyFile } = dataFiles(waybill.dataFolder);
    for (const damaged of [log, snapshots]) {
      writeFileSync(damaged, 'this is no database, and long enough to be looked at');
    }
    const newer = new Database(readModels, {
      what: 'test',
      schema: { applicationId: 0, version: 0, migrate: () => undefined },
    });
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    const keys = openSqliteKeyStore({ file, masterKeyFile, randomness: systemRandomness });
    await keys.create('ada');
    await keys.close();
    also({ WAYBILL_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') });
    const { code, found } = await doctor();
    expect(code).toBe(1);
    expect(found).toMatch(/bad log file: .*log\.sqlite/);
    expect(found).toMatch(/bad snapshots file: .*snapshots\.sqlite/);
    expect(found).toMatch(/bad read models file: .*newer than this program knows/);
    expect(found).toMatch(/bad keys file: The master key of WAYBILL_MASTER_KEY is not the one/);
  });

  test.each(ownServers)('names read models that were made from another log, $name: 1; status: 3', async ({ start }) => {
    await waybill.importSmall();
    const server = await start();
    expect(await waybill.run('migrate', '--to', server.url)).toMatchObject({ code: 0 });
    also({ WAYBILL_EVENT_STORE: server.url });
    const { code, found, report } = await doctor();
    const status = await waybill.run('status');
    await server.dispose();
    expect(code).toBe(1);
    expect(found).toMatch(/^bad progress of orders\.v2: made from another log, or from a later state of this one/);
    expect(report.checks).toContainEqual({
      name: 'event store',
      state: 'good',
      detail: expect.stringMatching(/^EventStoreDB \d+\.\d+\.\d+ at esdb:/),
    });
    expect(status).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/ orders .* made from another log, or from a later state of this one: /),
    });
  });
});

test.each(ownServers)('waybill doctor names a stream that will lose events, $name', async ({ start }) => {
  await waybill.importSmall();
  const server = await start();
  expect(await waybill.run('migrate', '--to', server.url)).toMatchObject({ code: 0 });
  also({ WAYBILL_EVENT_STORE: server.url });
  const { client, credentials } = connectionTo(server.url);
  ending.push(
    () => server.dispose(),
    () => client.dispose(),
  );
  const events = async (): Promise<Check> => {
    for (;;) {
      const found = (await doctor()).report.checks.find(({ name }) => name === 'events of the log');
      // A machine that runs tests may be too slow for it.
      if (found !== undefined && !found.detail.startsWith('There was no answer')) return found;
    }
  };
  await client.setStreamMetadata('order-delivered-1', { maxCount: 1_000 }, { credentials });
  expect(await events()).toMatchObject({
    state: 'warning',
    detail: 'order-delivered-1 will lose events: It is held to its last 1000 events.',
  });
  await client.setStreamMetadata('order-delivered-1', { maxCount: 1 }, { credentials });
  expect(await events()).toMatchObject({
    state: 'warning',
    detail: expect.stringMatching(/^Stream order-delivered-1 was cut/),
  });
  await client.setStreamMetadata('order-delivered-1', {}, { credentials });
  expect(await events()).toMatchObject({ state: 'good' });
});

describeWithRabbitMq('waybill doctor, with RabbitMQ', () => {
  test('says what is there', async () => {
    also({ WAYBILL_BROKER: amqpUrl });
    const { code, report } = await doctor();
    expect(code).toBe(0);
    expect(report.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['queues of fulfilment', 'dead letters', 'leases']),
    );
    expect(report.checks).toContainEqual({
      name: 'broker',
      state: 'good',
      detail: expect.stringMatching(/^RabbitMQ \d+\.\d+\.\d+ at amqp:/),
    });
    expect(report.checks).toContainEqual({
      name: 'broker takes messages',
      state: 'good',
      detail: 'no alarm of memory or disk',
    });
  });
});

describeWithMongoDb('waybill doctor, with MongoDB', () => {
  const database = new ScratchDatabase();

  afterEach(() => database.dispose());

  test('says what is there, and names an index that is not', async () => {
    await waybill.importSmall();
    also({ WAYBILL_READ_STORE: database.url });
    expect(await waybill.run('status')).toMatchObject({ code: 0 });
    const first = await doctor();
    expect(first.code).toBe(0);
    for (const name of ['read store', 'read store writes', 'read store indexes']) {
      expect(first.report.checks).toContainEqual(expect.objectContaining({ name, state: 'good' }));
    }
    const client = new MongoClient(database.url);
    // No other collection has one of this name: the stand-in for MongoDB drops an index from all that do.
    const name = (await client.db().collection('orders.v2').indexes()).find((index) =>
      index.name?.startsWith('with:'),
    )?.name;
    await client.db().collection('orders.v2').dropIndex(name!);
    await client.close();
    const { code, found } = await doctor();
    expect(code).toBe(1);
    expect(found).toMatch(`bad read store indexes: orders.v2 lacks ${name}`);
  });
});
