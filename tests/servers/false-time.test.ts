import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import { openSqliteKeyStore } from '@waybill/infra/keys/sqlite/key-store.js';
import { outOfTurn } from '@waybill/shared-kernel/testing/out-of-turn.js';
import { runCommandLine } from '../support/command-line.js';
import { describeWithFalseTime, FalseTime } from '../support/false-time.js';
import { readWholeLog } from '../support/log.js';
import { startServer, type Server } from '../support/server.js';
import { waitUntil } from '../support/wait-until.js';
import { post } from '../support/write-client.js';

const hour = 3_600;

describeWithFalseTime('a server whose wall clock is set', () => {
  let scratch: string;
  let folder: string;
  let time: FalseTime;
  let server: Server | undefined;
  let token: string;
  let keys: number;

  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'waybill-false-time-'));
    folder = join(scratch, 'data');
    time = new FalseTime(scratch);
    keys = 0;
    prepareDataFolder(folder);
    const key = await openDevelopmentKey(dataFiles(folder).developmentKey);
    // Good by every clock that these servers see.
    const before = { time: () => new Date(Date.now() - 3 * hour * 1000) };
    token = await issueDevelopmentToken(key, { sub: 'shop', roles: ['operator', 'merchant'] }, before);
  });

  afterEach(async () => {
    await server?.stop('SIGKILL');
    await rm(scratch, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    server = await startServer(folder, time.environment());
  }

  /** The consistency token of what was done. */
  async function done(path: string, body: object): Promise<string> {
    const { status, text, headers } = await post(server!.writeUrl, path, token, `k${(keys += 1)}`, body);
    expect([200, 201, text]).toContain(status);
    return headers.get('consistency-token')!;
  }

  async function read(path: string, seen = ''): Promise<{ status: number; body: Record<string, unknown> }> {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(seen !== '' && { 'consistency-token': seen, prefer: 'wait=10' }),
    };
    const response = await fetch(server!.readUrl + path, { headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async function open(): Promise<void> {
    await done('/v1/products', { productId: 'tea', name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } });
    const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
    await done('/v1/customers', { customerId: 'ann', name: 'Ann', phone: '1', address });
  }

  function place(orderId: string): Promise<string> {
    const lines = [{ productId: 'tea', quantity: 1 }];
    return done('/v1/orders', { orderId, customerId: 'ann', lines, payment: { token: 'tok_approve' } });
  }

  async function confirmed(orderId: string): Promise<void> {
    await waitUntil(
      'it is confirmed',
      async () => (await read(`/v1/orders/${orderId}`)).body['status'] === 'confirmed',
    );
  }

  const now = (): string => encodeURIComponent(new Date().toISOString());

  test('back uses no key that another process destroyed, and leaves the version that was switched away', async () => {
    await start();
    await open();
    await done('/v1/customers', {
      customerId: 'bert',
      name: 'Bert',
      phone: '2',
      address: { street: 'Allee 2', city: 'Berlin', postalCode: '10115' },
    });
    await place('o1');
    await confirmed('o1');
    const name = async (): Promise<unknown> => (await read('/v1/customers/bert')).body['name'];
    await waitUntil('his key is at hand', async () => (await name()) === 'Bert');
    const store = openSqliteKeyStore({
      file: dataFiles(folder).keys,
      masterKeyFile: dataFiles(folder).masterKey,
      masterKeyText: undefined,
      previousMasterKeyText: undefined,
      randomness: systemRandomness,
    });
    await store.destroy('bert');
    await store.close();
    time.setAhead(-hour);
    const rebuilt = await runCommandLine(folder, ['rebuild', 'orders'], time.environment());
    expect(rebuilt).toMatchObject({ exitCode: 0 });
    const seen = await place('o2');
    expect((await read('/v1/orders/o2', seen)).status).toBe(200);
    await waitUntil('nobody can read his name any more', async () => (await name()) === null);
  }, 240_000);

  test('right again after it ran ahead shows the present as it is, and times that contradict no revision', async () => {
    time.setAhead(hour);
    await start();
    await open();
    await place('o1');
    await confirmed('o1');
    await server!.stop('SIGTERM');
    time.setAhead(0);
    await start();
    const seen = await done('/v1/orders/o1/cancellation', { reason: 'changed my mind' });
    const present = await read('/v1/orders/o1', seen);
    expect(present).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    for (const point of ['asOf', 'knownAt']) {
      expect(await read(`/v1/orders/o1?${point}=${now()}`)).toMatchObject({
        status: 200,
        body: { status: 'cancelled' },
      });
    }
    const { events } = (await read('/v1/orders/o1/timeline')).body as {
      events: readonly { stream: string; revision: number }[];
    };
    const revisions = events.flatMap(({ stream, revision }) => (stream === 'order-o1' ? [revision] : []));
    expect(revisions).toEqual(revisions.toSorted((one, other) => one - other));
    expect(outOfTurn(await readWholeLog(folder))).toEqual([]);
  }, 240_000);

  test('ahead for a moment while it runs dates nothing', async () => {
    await start();
    await open();
    const began = new Date().toISOString();
    time.setAhead(hour);
    await place('o1');
    await confirmed('o1');
    time.setAhead(0);
    await place('o2');
    await confirmed('o2');
    const ended = new Date(Date.now() + 1_000).toISOString();
    const log = await readWholeLog(folder);
    const ofOrders = log.filter(({ partitionKey }) => partitionKey === 'o1' || partitionKey === 'o2');
    expect(ofOrders.length).toBeGreaterThan(10);
    expect(ofOrders.filter(({ recordedAt }) => recordedAt < began || recordedAt > ended)).toEqual([]);
    expect(ofOrders.filter(({ occurredAt }) => occurredAt < began || occurredAt > ended)).toEqual([]);
    expect(outOfTurn(log)).toEqual([]);
  }, 240_000);
});
