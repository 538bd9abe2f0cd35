import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { freePort } from '@waybill/infra/testing/loopback-port.js';
import { PartProcess, type PartName } from './support/part-process.js';
import { waitUntil } from './support/wait-until.js';

// Every process may be started before the servers it needs: it runs, says what it waits for, and answers that it is not
// ready. That it goes on by itself when they come is tested where there are servers: tests/servers/before-servers.test.ts.

let folder: string;
let part: PartProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-before-servers-'));
});

afterEach(async () => {
  await part?.stop('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Of this machine, where nothing listens. */
async function nowhere(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}

async function start(name: PartName, readStore: 'sqlite:' | 'mongodb:'): Promise<PartProcess> {
  part = await PartProcess.start(name, {
    WAYBILL_DATA: folder,
    WAYBILL_BROKER: `amqp://${await nowhere()}`,
    WAYBILL_READ_STORE: readStore === 'sqlite:' ? readStore : `mongodb://${await nowhere()}`,
    WAYBILL_WRITE_PORT: '0',
    WAYBILL_READ_PORT: '0',
    WAYBILL_HEALTH_PORT: '0',
  });
  return part;
}

async function readiness(url: string): Promise<object> {
  const answer = await fetch(new URL('/readyz', url));
  return { status: answer.status, ...((await answer.json()) as { checks: object }).checks };
}

const noRabbitMq = expect.stringMatching(/^RabbitMQ does not answer: connect ECONNREFUSED/) as unknown;
const noMongoDb = expect.stringMatching(/^MongoDB cannot be used now: connect ECONNREFUSED/) as unknown;

test.each(['relay', 'projector', 'fulfilment'] as const)(
  'the %s without a broker',
  async (name) => {
    const follower = await start(name, 'sqlite:');
    await waitUntil('it says what it waits for', () => /Waiting for: broker\b/.test(follower.output));
    const url = follower.urlAfter('Is it well\\?');
    await waitUntil('it has tried to connect', async () =>
      JSON.stringify(await readiness(url)).includes('ECONNREFUSED'),
    );
    expect(await readiness(url)).toEqual({
      status: 503,
      'event store': 'ok',
      broker: noRabbitMq,
      'read store': 'ok',
      // Before long it stands still for want of a broker, and says so.
      [name]: expect.any(String) as unknown,
    });
    expect(await follower.stop()).toBe(0);
  },
  60_000,
);

test('the projector without a broker and without a read store', async () => {
  const projector = await start('projector', 'mongodb:');
  await waitUntil('it says so', () => /Waiting for: broker, read store\b/.test(projector.output));
  expect(await readiness(projector.urlAfter('Is it well\\?'))).toMatchObject({
    status: 503,
    'event store': 'ok',
    'read store': noMongoDb,
  });
  expect(await projector.stop()).toBe(0);
});

test('the read API without a read store', async () => {
  const api = await start('read-api', 'mongodb:');
  await waitUntil('it says what it waits for', () => /Waiting for: read store\b/.test(api.output));
  expect(await readiness(api.url)).toEqual({ status: 503, 'read store': noMongoDb });
  expect((await fetch(new URL('/healthz', api.url))).status).toBe(200);
  expect(await api.stop()).toBe(0);
});

test('the write API needs neither', async () => {
  const api = await start('write-api', 'mongodb:');
  expect(await readiness(api.url)).toEqual({ status: 200, 'event store': 'ok' });
  expect(await api.stop()).toBe(0);
});
