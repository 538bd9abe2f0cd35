import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { manyOrders } from '@waybill/cli/import/testing/many-orders.js';
import { makeOlistFolder } from '@waybill/cli/import/testing/olist-folder.js';
import { encodeConsistencyToken } from '@waybill/shared-kernel/consistency-token.js';
import { runCommandLine } from './support/command-line.js';
import { fetchSeeing } from './support/fetch-seeing.js';
import { readWholeLog } from './support/log.js';
import { areAllAnswered, bookedIn, unbalanced } from './support/money.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';

let scratch: string;
let folder: string;
let server: Server;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'waybill-beside-'));
  folder = join(scratch, 'data');
  server = await startServer(folder);
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await rm(scratch, { recursive: true, force: true });
});

async function waybill<T>(...words: readonly string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await runCommandLine(folder, [...words, '--json'], {
    WAYBILL_WRITE_PORT: new URL(server.writeUrl).port,
    WAYBILL_READ_PORT: new URL(server.readUrl).port,
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.not.stringContaining(' at ') });
  return JSON.parse(stdout) as T;
}

async function operator(): Promise<string> {
  return (await runCommandLine(folder, ['token', '--role', 'operator', '--sub', 'olga'])).stdout.trim();
}

async function get(token: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const response = await fetchSeeing(server.readUrl + path, { ...headers, authorization: `Bearer ${token}` });
  return response.json();
}

/** Headers of a read that waits until everything of an order that the log holds is projected. */
async function seeing(orderId: string): Promise<Readonly<Record<string, string>>> {
  const last = (await readWholeLog(folder)).findLast(({ partitionKey }) => partitionKey === orderId)!;
  return { 'consistency-token': encodeConsistencyToken(last), prefer: 'wait=10' };
}

interface Demo {
  readonly orders: readonly { readonly orderId: string; readonly fate: string }[];
}

test('a demo whose tokens the server does not take is used wrongly', async () => {
  const { exitCode, stderr } = await runCommandLine(join(scratch, 'elsewhere'), ['demo'], {
    WAYBILL_WRITE_PORT: new URL(server.writeUrl).port,
    WAYBILL_READ_PORT: new URL(server.readUrl).port,
  });
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/does not take tokens of this data folder\. Set WAYBILL_DATA to the server's\.\n$/);
});

test('a demo comes to the ends that it planned, and its repeat records nothing', async () => {
  const words = ['demo', '--orders', '30', '--rate', '1000', '--seed', 'x'];
  const demo = await waybill<Demo>(...words);
  expect(demo.orders).toHaveLength(30);
  const ends = {
    delivered: 'delivered',
    'delivered-at-second-try': 'delivered',
    returned: 'delivery_failed',
    cancelled: 'cancelled',
    declined: 'rejected',
  };
  const token = await operator();
  for (const { orderId, fate } of demo.orders) {
    const order = await get(token, `/v1/orders/${orderId}`, await seeing(orderId));
    expect(order).toMatchObject({ orderId, status: ends[fate as keyof typeof ends] });
  }
  await waitUntil('nobody owes or is owed anything', async () => {
    const events = await readWholeLog(folder);
    return areAllAnswered(events) && unbalanced(events, await bookedIn(folder)).length === 0;
  });
  expect(server.output()).not.toContain('Warning');
  const before = await readWholeLog(folder);
  expect(await waybill(...words)).toEqual(demo);
  const since = (await readWholeLog(folder)).slice(before.length);
  expect(since.filter(({ stream }) => !stream.startsWith('fulfilment-'))).toEqual([]);
});

test('orders imported beside the server are answered by it, untouched by fulfilment; a backup of it can be restored', async () => {
  const made = makeOlistFolder(manyOrders(500));
  const imported = await waybill<{ events: number; added: number }>('import', 'olist', made.folder);
  made.remove();
  expect(imported.added).toBe(imported.events);
  expect(await get(await operator(), '/v1/orders/order-499', await seeing('order-499'))).toMatchObject({
    status: 'delivered',
    imported: true,
    total: { amount: 1150, currency: 'BRL' },
  });
  expect(await waybill('audit', 'verify')).toMatchObject({ ok: true, events: imported.events });
  expect(await waybill('status')).toMatchObject({ server: { running: true } });

  const copy = join(scratch, 'copy');
  await waybill('backup', copy);
  expect((await runCommandLine(folder, ['restore', copy])).exitCode).toBe(2);
  const log = await readWholeLog(folder);
  folder = join(scratch, 'restored');
  await waybill('restore', copy);
  expect(await readWholeLog(folder)).toEqual(log);
});
