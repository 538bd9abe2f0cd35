import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dataFiles } from '@waybill/infra/process/config.js';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { openSqliteKeyStore, wrappedKeysIn } from '@waybill/infra/keys/sqlite/key-store.js';
import { type CommandLineResult, operatorToken, runCommandLineHere } from './support/command-line.js';
import { fetchSeeing } from './support/fetch-seeing.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';
import { post } from './support/write-client.js';

// Personal data is searched for in every byte that a deployment of one process leaves: log, read models, snapshots,
// keys, write-ahead logs, exports, backups, and what the process printed.

const ann = { name: 'Annegret Xylander', phone: '+82 10 9473 2206' };
const homes = [
  { street: 'Quittenweg 7131', city: 'Oberzwiesel', postalCode: 'QX-90417' },
  { street: 'Holundergasse 8242', city: 'Unterfichten', postalCode: 'QZ-80528' },
];
const elsewhere = { street: 'Sanddornpfad 9353', city: 'Niederbirken', postalCode: 'QY-70639' };
const personal = [ann.name, ann.phone, ...[...homes, elsewhere].flatMap((home) => Object.values(home))];

let scratch: string;
let dataFolder: string;
let server: Server | undefined;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'waybill-erasure-'));
  dataFolder = join(scratch, 'data');
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  await rm(scratch, { recursive: true, force: true });
});

/** What is shorter may be there by chance. */
const tellingLength = 8;

/** Text in the forms in which bytes are written down. Of base64 the middle, which its surroundings do not change. */
function formsOf(bytes: Buffer): readonly Buffer[] {
  const shifted = [0, 1, 2].flatMap((shift) => {
    const padded = Buffer.concat([Buffer.alloc(shift), bytes]);
    const forms = (['base64', 'base64url'] as const).map((form) => padded.toString(form).slice(4, -4));
    return forms.filter(({ length }) => length >= tellingLength);
  });
  return [
    bytes,
    ...[...shifted, bytes.toString('hex')].map((form) => Buffer.from(form)),
    Buffer.from(bytes.toString('utf16le')),
  ];
}

/** Every file below a folder, whole. */
function filesBelow(folder: string): ReadonlyMap<string, Buffer> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((file) => [file, readFileSync(file)]));
}

/** Where any of these is, in any form: file and what. */
function traces(of: readonly Buffer[], folder: string, printed = ''): readonly string[] {
  const places = [...filesBelow(folder), ['output', Buffer.from(printed)] as const];
  const forms = of.flatMap((bytes) => formsOf(bytes));
  return places.flatMap(([file, content]) => (forms.some((form) => content.includes(form)) ? [basename(file)] : []));
}

async function waybill(...words: string[]): Promise<CommandLineResult> {
  const ran = await runCommandLineHere(dataFolder, words);
  expect({ words, code: ran.exitCode, stderr: ran.stderr }).toMatchObject({ words, code: 0 });
  return ran;
}

test('nothing personal is in plain anywhere, and after an erasure no byte of the key is left to open it with', async () => {
  server = await startServer(dataFolder);
  const { writeUrl, readUrl } = server;
  const token = await operatorToken(dataFolder);
  let keys = 0;
  const done = async (path: string, body: object): Promise<string> => {
    const { status, text, headers } = await post(writeUrl, path, token, `k${(keys += 1)}`, body);
    expect([200, 201, text]).toContain(status);
    return headers.get('consistency-token')!;
  };
  const read = async <T>(path: string, consistencyToken = ''): Promise<T> => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(consistencyToken !== '' && { 'consistency-token': consistencyToken, prefer: 'wait=10' }),
    };
    return (await (await fetchSeeing(readUrl + path, headers)).json()) as T;
  };

  await done('/v1/products', { productId: 'tea', name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } });
  await done('/v1/customers', { customerId: 'ann', ...ann, address: homes[0] });
  await done('/v1/customers', { customerId: 'bert', name: 'Bert', phone: '1', address: elsewhere });
  // Often enough that a snapshot of her is kept.
  let token1 = '';
  for (let move = 1; move <= 120; move += 1)
    token1 = await done('/v1/customers/ann/address', { address: homes[move % 2] });
  expect(await read('/v1/customers/ann', token1)).toMatchObject({ ...ann, address: homes[0], erased: false });
  const lines = [{ productId: 'tea', quantity: 2 }];
  await done('/v1/orders', { orderId: 'o1', customerId: 'ann', lines, payment: { token: 'tok_approve' } });
  const placed = {
    orderId: 'o2',
    customerId: 'ann',
    lines,
    payment: { token: 'tok_approve' },
    deliveryAddress: elsewhere,
  };
  await done('/v1/orders', placed);
  await waitUntil('both are confirmed', async () => {
    const { items } = await read<{ items: { status: string }[] }>('/v1/orders?status=confirmed');
    return items.length === 2;
  });
  const before = await read<{ deliveryAddress: unknown }>('/v1/orders/o2');
  expect(before.deliveryAddress).toEqual(elsewhere);
  const asOf = encodeURIComponent(new Date().toISOString());
  const past = `/v1/orders/o1?asOf=${asOf}`;
  expect(await read(past)).toMatchObject({ deliveryAddress: homes[0] });

  const refused = await post(writeUrl, '/v1/customers/ann/erasure', token, 'early', {});
  expect([refused.status, JSON.parse(refused.text)]).toMatchObject([409, { rule: 'orders-under-way' }]);
  for (const orderId of ['o1', 'o2']) await done(`/v1/orders/${orderId}/cancellation`, { reason: 'moved away' });
  await waybill('backup', join(scratch, 'older'));
  await waybill('replay', 'history', '--as-of', new Date().toISOString(), '--out', join(scratch, 'older.ndjson'));
  const secrets = personal.map((text) => Buffer.from(text));
  expect(traces(secrets, scratch, server.output())).toEqual([]);

  // The key, as it is and as it is wrapped: it can be found while it is there.
  const { keys: file, masterKey: masterKeyFile } = dataFiles(dataFolder);
  const store = openSqliteKeyStore({ file, masterKeyFile, randomness: systemRandomness });
  const key = Buffer.from((await store.find('ann'))!);
  await store.close();
  const wrapped = Buffer.from(wrappedKeysIn(file).find(({ subject }) => subject === 'ann')!.wrapped!);
  expect(traces([wrapped], scratch)).toContain('keys.sqlite');

  const erased = await done('/v1/customers/ann/erasure', {});
  expect(await read('/v1/customers/ann', erased)).toMatchObject({
    name: null,
    phone: null,
    address: null,
    erased: true,
  });
  const noAddress = { customerId: 'ann', deliveryAddress: null };
  for (const path of ['/v1/orders/o1', '/v1/orders/o2', past]) expect(await read(path)).toMatchObject(noAddress);
  expect(await read('/v1/orders?customerId=ann')).toMatchObject({ items: [noAddress, noAddress] });
  expect(JSON.stringify(await read('/v1/orders/o2/timeline'))).toContain('"deliveryAddress":null');
  expect(await read('/v1/customers/bert')).toMatchObject({ address: elsewhere, erased: false });

  await rm(join(scratch, 'older', 'keys'), { recursive: true });
  await waybill('backup', join(scratch, 'newer'));
  await waybill('replay', 'history', '--as-of', new Date().toISOString(), '--out', join(scratch, 'newer.ndjson'));
  expect(traces([key, wrapped], scratch, server.output())).toEqual([]);
  expect(traces(secrets, scratch, server.output())).toEqual([]);

  expect(JSON.parse((await waybill('audit', 'verify', '--json')).stdout)).toMatchObject({ ok: true, differences: [] });
  await waybill('rebuild', 'customers');
  await waybill('rebuild', 'orders');
  expect(JSON.parse((await waybill('audit', 'verify', '--json')).stdout)).toMatchObject({ ok: true, differences: [] });
  expect(await server.stop('SIGINT')).toBe(0);
  expect(traces([key, wrapped, ...secrets], scratch, server.output())).toEqual([]);
}, 240_000);

test('killed between the event and the destruction of the key: the next start destroys it', async () => {
  server = await startServer(dataFolder);
  const token = await operatorToken(dataFolder);
  const customer = { customerId: 'ann', ...ann, address: homes[0] };
  expect((await post(server.writeUrl, '/v1/customers', token, '1', customer)).status).toBe(201);
  await server.stop('SIGKILL');
  const { keys, masterKey: masterKeyFile } = dataFiles(dataFolder);
  const open = () => openSqliteKeyStore({ file: keys, masterKeyFile, randomness: systemRandomness });
  // Who closes the file writes all of it to where it belongs.
  await open().close();
  await copyFile(keys, `${keys}.before`);

  server = await startServer(dataFolder);
  expect((await post(server.writeUrl, '/v1/customers/ann/erasure', token, '2', {})).status).toBe(200);
  await server.stop('SIGKILL');
  // As if it had been killed before that: the keys are those from before the erasure.
  for (const rest of ['-wal', '-shm']) await rm(`${keys}${rest}`, { force: true });
  await rename(`${keys}.before`, keys);
  let store = open();
  expect(await store.find('ann')).toBeDefined();
  await store.close();

  server = await startServer(dataFolder);
  store = open();
  await waitUntil('the key is destroyed', async () => (await store.find('ann')) === undefined);
  await store.close();
  expect(
    (await post(server.writeUrl, '/v1/customers/ann/erasure', token, '2', {})).headers.get('idempotency-replayed'),
  ).toBe('true');
}, 120_000);
