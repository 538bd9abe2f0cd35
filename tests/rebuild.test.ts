import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { operatorToken, runCommandLineHere } from './support/command-line.js';
import { ReadingAllAlong } from './support/reading-all-along.js';
import { SentCommands } from './support/sent-commands.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';

jest.setTimeout(120_000);

let folder: string;
let server: Server;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-rebuild-'));
  server = await startServer(folder);
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function json<T>(...words: readonly string[]): Promise<T> {
  const { stdout, stderr } = await runCommandLineHere(folder, [...words, '--json']);
  if (stdout === '') throw new Error(`waybill ${words.join(' ')} said nothing: ${stderr}`);
  return JSON.parse(stdout) as T;
}

async function versions(): Promise<Record<string, number>> {
  const { projections } = await json<{ projections: { name: string; version: number }[] }>('status');
  return Object.fromEntries(projections.map(({ name, version }) => [name, version]));
}

async function read(): Promise<{ reading: ReadingAllAlong; stop: () => Promise<void> }> {
  const token = await operatorToken(folder);
  const commands = new SentCommands('shop', token);
  await commands.setTheTable(server.writeUrl);
  const apis = { writeUrl: server.writeUrl, readUrls: [server.readUrl] };
  const reading = new ReadingAllAlong(apis, token, commands.order);
  const more = async (): Promise<void> => {
    const { placed, reads } = reading.counts;
    await waitUntil('orders come in and are read', () => {
      return reading.counts.placed >= placed + 10 && reading.counts.reads >= reads + 10;
    });
  };
  await more();
  return {
    reading,
    stop: async () => {
      await more();
      await reading.stop();
    },
  };
}

test('a rebuild and its roll-back, while orders keep coming in and every read goes on', async () => {
  const { reading, stop } = await read();
  expect(await json('rebuild', 'orders')).toMatchObject({ result: 'switched', live: 3, previous: 2 });
  expect(await versions()).toEqual({ orders: 3, deliveries: 3, products: 1, customers: 1 });
  expect(await json('rebuild', 'orders')).toMatchObject({ result: 'switched', live: 4, previous: 3 });
  expect(await json('rebuild', 'products')).toMatchObject({ projection: 'products', result: 'switched', live: 2 });
  expect(await json('rebuild', 'orders', '--rollback')).toMatchObject({ result: 'switched', live: 3, previous: 4 });
  await stop();
  expect(reading.faults).toEqual([]);
  expect(await versions()).toEqual({ orders: 3, deliveries: 3, products: 2, customers: 1 });
  expect(await json('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
});

test('a server that is killed in the middle of a rebuild goes on with it when it starts again', async () => {
  const { stop } = await read();
  await stop();
  const readStore = openSqliteReadStore(dataFiles(folder).readModels);
  const command = runCommandLineHere(folder, ['rebuild', 'orders']);
  await until(async () => {
    const known = (await readStore.versions('orders'))?.shapes[orders.collection.version];
    return known?.rebuild?.builder !== undefined || known?.last !== undefined;
  });
  await readStore.close();
  await server.stop('SIGKILL');
  server = await startServer(folder);
  expect(await command).toMatchObject({ exitCode: 0 });
  expect(await versions()).toMatchObject({ orders: 3 });
  expect(await json('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
});
