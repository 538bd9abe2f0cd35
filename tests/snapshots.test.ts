import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { product } from '@waybill/command-side/catalogue/product.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteSnapshotStore } from '@waybill/infra/snapshots/sqlite/snapshot-store.js';
import { operatorToken } from './support/command-line.js';
import { PartProcess } from './support/part-process.js';
import { post, type Answer } from './support/write-client.js';

// Snapshots help a process that may be without them: whatever is wrong with them, commands are answered.

let folder: string;
let token: string;
let part: PartProcess | undefined;
const silentLines = new Set<Socket>();
const silence = createServer((line) => {
  silentLines.add(line);
  // Cut by whoever gives up on it.
  line.on('error', () => undefined);
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-snapshots-'));
  token = await operatorToken(folder);
  await new Promise<void>((resolve) => silence.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await part?.stop('SIGKILL');
  for (const line of silentLines) line.destroy();
  silence.close();
  rmSync(folder, { recursive: true });
});

async function startWriteApi(readStore = 'sqlite:'): Promise<PartProcess> {
  part = await PartProcess.start('write-api', {
    WAYBILL_DATA: folder,
    WAYBILL_BROKER: 'amqp://127.0.0.1:1',
    WAYBILL_READ_STORE: readStore,
    WAYBILL_WRITE_PORT: '0',
  });
  return part;
}

const changes = 25;

async function list({ url }: PartProcess, productId: string): Promise<void> {
  const body = { productId, name: 'Tea', unitPrice: { amount: 500, currency: 'EUR' } };
  expect((await post(url, '/v1/products', token, `list ${productId}`, body)).status).toBe(201);
}

/** One piece more, many times; the answers. */
async function changeStock({ url }: PartProcess, productId: string, from: number): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let change = from; change < from + changes; change += 1) {
    answers.push(await post(url, `/v1/products/${productId}/stock`, token, `change ${change}`, { change: 1 }));
  }
  return answers;
}

const essence = ({ status, text }: Answer): object => ({ status, text });
const revisions = (answers: readonly Answer[]) =>
  answers.map(({ text }) => (JSON.parse(text) as { revision: number }).revision);
const numbers = (from: number): readonly number[] => Array.from({ length: changes }, (_, index) => from + index);

test('a process begins where another one took a snapshot, and does without a damaged file of them, saying so', async () => {
  const first = await startWriteApi();
  await list(first, 'tea');
  const before = await changeStock(first, 'tea', 0);
  expect(revisions(before)).toEqual(numbers(1));
  expect(await first.stop()).toBe(0);
  const { snapshots: file } = dataFiles(folder);
  const snapshots = openSqliteSnapshotStore(file);
  expect(await snapshots.load('product-tea')).toMatchObject({
    revision: 19,
    schemaVersion: product.stateVersion,
  });
  await snapshots.close();

  for (const isDamaged of [false, true]) {
    if (isDamaged) writeFileSync(file, 'damaged'.repeat(1_000));
    const next = await startWriteApi();
    expect((await changeStock(next, 'tea', 0)).map(essence)).toEqual(before.map(essence));
    const more = await changeStock(next, 'tea', isDamaged ? 2 * changes : changes);
    expect(revisions(more)).toEqual(numbers(1 + (isDamaged ? 2 : 1) * changes));
    expect(await next.stop()).toBe(0);
    expect(next.output.includes(`${file} is damaged`)).toBe(isDamaged);
  }
}, 120_000);

test('while the store of the snapshots takes connections and says nothing, commands are answered', async () => {
  const { port } = silence.address() as AddressInfo;
  const api = await startWriteApi(`mongodb://127.0.0.1:${port}`);
  await list(api, 'rice');
  expect(revisions(await changeStock(api, 'rice', 0))).toEqual(numbers(1));
  expect(api.output).toMatch(/It did not answer within 100 ms/);
  expect(await api.stop()).toBe(0);
}, 120_000);
