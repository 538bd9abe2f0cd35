import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { dataFiles } from '@waybill/infra/process/config.js';
import { Database } from '@waybill/infra/sqlite/database.js';
import { isLong } from '@waybill/shared-kernel/testing/length.js';
import { operatorToken, runCommandLine } from './support/command-line.js';
import { fetchSeeing } from './support/fetch-seeing.js';
import { startServer, type Server } from './support/server.js';
import { post } from './support/write-client.js';

// Each test starts some processes.
jest.setTimeout(120_000);

let folder: string;
const running: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-server-'));
});

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function start(environment: NodeJS.ProcessEnv = {}): Promise<Server> {
  const server = await startServer(folder, environment);
  running.push(server);
  return server;
}

/** What a server that must not start says, which is all it says. */
async function refusal(environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const error = await start(environment).then(
    () => undefined,
    (reason: unknown) => String(reason),
  );
  expect(error).toBeDefined();
  const lines = (error ?? '')
    .split('\n')
    .slice(1)
    .filter((line) => line !== '');
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
}

test('an order placed with curl is answered from disk, confirmed by itself, and read back by whoever brings the token', async () => {
  const server = await start();
  expect(server.output()).toMatch(/^ +payments +a simulator, which takes no money$/m);
  const token = await operatorToken(folder);
  const product = { productId: 'tea', name: 'Green Tea', unitPrice: { amount: 900, currency: 'EUR' } };
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  const order = { customerId: 'ann', lines: [{ productId: 'tea', quantity: 2 }], payment: { token: 'tok_approve' } };
  await post(server.writeUrl, '/v1/products', token, '1', product);
  await post(server.writeUrl, '/v1/customers', token, '2', {
    customerId: 'ann',
    name: 'Ann',
    phone: '+49 30 1',
    address,
  });
  const placed = await post(server.writeUrl, '/v1/orders', token, '3', order);
  expect(placed.status).toBe(201);

  const location = placed.headers.get('location') ?? '';
  expect(location.startsWith(`${server.readUrl}/v1/orders/`)).toBe(true);
  const consistencyToken = placed.headers.get('consistency-token') ?? '';
  const read = async (headers: Record<string, string>): Promise<Response> =>
    fetchSeeing(location, { authorization: `Bearer ${token}`, ...headers });
  const first = await read({ 'consistency-token': consistencyToken, prefer: 'wait=10' });
  expect(first.status).toBe(200);
  expect(await first.json()).toMatchObject({ total: { amount: 1800, currency: 'EUR' }, deliveryAddress: address });

  for (let status = ''; status !== 'confirmed';) ({ status } = (await (await read({})).json()) as { status: string });
  const own = await runCommandLine(folder, ['audit', 'verify', '--json']);
  expect(JSON.parse(own.stdout)).toMatchObject({ ok: true, differences: [] });
});

test('what must have been kept is there after a stop and a start; a stop is clean', async () => {
  const first = await start();
  const token = await operatorToken(folder);
  const product = { productId: 'tea', name: 'Green Tea', unitPrice: { amount: 900, currency: 'EUR' } };
  const answer = await post(first.writeUrl, '/v1/products', token, '1', product);
  expect(await first.stop('SIGINT')).toBe(0);
  expect((await stat(`${dataFiles(folder).log}-wal`)).size).toBe(0);

  const second = await start();
  const again = await post(second.writeUrl, '/v1/products', token, '1', product);
  expect([again.status, again.text, again.headers.get('etag')]).toEqual([201, answer.text, answer.headers.get('etag')]);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(await second.stop('SIGTERM')).toBe(0);
});

test('both APIs say that they live, that they are ready, and how to call them, without a token', async () => {
  const server = await start();
  for (const url of [server.writeUrl, server.readUrl]) {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    for (let status = 503; status !== 200;) ({ status } = await fetch(`${url}/readyz`));
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('process_cpu_seconds_total');
    expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({
      openapi: expect.stringMatching(/^3\.1/),
    });
    expect(await (await fetch(`${url}/docs`)).text()).toContain('rapi-doc');
  }
});

describe('a start that cannot be is refused in one sentence that says what to do', () => {
  test('another server on the same data folder', async () => {
    await start();
    expect(await refusal()).toMatch(/is in use by another Waybill server.*WAYBILL_DATA/);
  });

  test('a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    expect(await refusal({ WAYBILL_READ_PORT: String(port) })).toMatch(/in use by another program.*WAYBILL_READ_PORT/);
    await new Promise((resolve) => other.close(resolve));
  });

  test('one port for both APIs', async () => {
    const ports = { WAYBILL_READ_PORT: '4123', WAYBILL_WRITE_PORT: '4123' };
    expect(await refusal(ports)).toMatch(/^WAYBILL_WRITE_PORT and WAYBILL_READ_PORT both name port 4123/);
  });

  test('a port that is none', async () => {
    expect(await refusal({ WAYBILL_WRITE_PORT: 'web' })).toMatch(/WAYBILL_WRITE_PORT.*0 to 65535/);
  });

  test('a data folder that cannot be made', async () => {
    await writeFile(join(folder, 'file'), '');
    expect(await refusal({ WAYBILL_DATA: join(folder, 'file', 'data') })).toMatch(
      /cannot be made or written.*WAYBILL_DATA/,
    );
  });

  test.each(isLong ? (['log', 'readModels', 'keys', 'paymentLedger'] as const) : (['log'] as const))(
    'a %s file that is damaged, which stays as it is',
    async (name) => {
      const file = dataFiles(folder)[name];
      const bytes = Buffer.alloc(8192, 'no database');
      await writeFile(file, bytes);
      expect(await refusal()).toContain(file);
      expect(await readFile(file)).toEqual(bytes);
    },
  );

  test('a file of a newer version', async () => {
    const server = await start();
    await server.stop('SIGINT');
    for (const name of isLong ? (['log', 'readModels', 'keys'] as const) : (['keys'] as const)) {
      const copy = `${folder}-${name}`;
      try {
        await cp(folder, copy, { recursive: true });
        const schema = { applicationId: 0, version: 0, migrate: () => undefined };
        const database = new Database(dataFiles(copy)[name], { what: name, schema });
        database.exec('PRAGMA user_version = 1000');
        database.close();
        expect(await refusal({ WAYBILL_DATA: copy })).toMatch(/newer than this program knows/);
      } finally {
        await rm(copy, { recursive: true, force: true });
      }
    }
  });

  test('a development key that is none', async () => {
    await writeFile(dataFiles(folder).developmentKey, '{}');
    expect(await refusal()).toMatch(/holds no development key/);
  });
});
