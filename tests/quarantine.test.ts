import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { products } from '@waybill/projections/read-models/products.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { listed } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { operatorToken, runCommandLineHere } from './support/command-line.js';
import { fetchSeeing } from './support/fetch-seeing.js';
import { startServer, type Server } from './support/server.js';
import { post } from './support/write-client.js';
import { at } from '@waybill/shared-kernel/testing/at.js';

let folder: string;
let server: Server;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-quarantine-'));
  server = await startServer(folder);
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Two products of one partition. */
const [bad, good] = neighbours();

function neighbours(): readonly [string, string] {
  const ids = Array.from({ length: 100 }, (_, index) => `p-${index}`);
  const [first] = ids;
  return [first!, ids.find((id) => id !== first && partitionOf(id) === partitionOf(first!))!];
}

interface Product {
  readonly unitPrice?: { readonly amount: number };
  readonly degraded?: { readonly since: string };
}

const euros = (amount: number) => ({ unitPrice: { amount, currency: 'EUR' } });

/** The shop, at work through both APIs. */
class Shop {
  #keys = 0;
  constructor(private readonly merchant: string) {}

  /** Answers with the consistency token. */
  async command(path: string, body: object): Promise<string> {
    this.#keys += 1;
    const answer = await post(server.writeUrl, path, this.merchant, `key-${this.#keys}`, body);
    expect([200, 201]).toContain(answer.status);
    return answer.headers.get('consistency-token')!;
  }

  async read(productId: string, seen: string): Promise<Product> {
    const headers = { authorization: `Bearer ${this.merchant}`, 'consistency-token': seen, prefer: 'wait=10' };
    const response = await fetchSeeing(`${server.readUrl}/v1/products/${productId}`, headers);
    return (await response.json()) as Product;
  }
}

async function open(): Promise<Shop> {
  return new Shop(await operatorToken(folder));
}

async function waybill(...words: readonly string[]) {
  const { exitCode, stdout } = await runCommandLineHere(folder, [...words, '--json']);
  return { exitCode, body: JSON.parse(stdout) as unknown };
}

/** Appends to the log what the write API never would: a product whose name is a number. */
async function poison(productId: string): Promise<void> {
  const { stream, event } = listed(productId);
  const log = openSqliteEventStore(dataFiles(folder).log, { clock: systemClock });
  await appendAll(log, [{ stream, event: { ...event, data: { ...event.data, merchantId: 'shop', name: 7 } } }]);
  await log.close();
}

/** Notes a product as quarantined, as a projector would that cannot apply its last event. */
async function quarantine(productId: string): Promise<void> {
  const readStore = openSqliteReadStore(dataFiles(folder).readModels);
  const [live] = await liveProjections([products], readStore);
  const [document] = await readStore.load(live!.collection, [productId]);
  const { key, partition, revisions, sections, projectedAt } = document!;
  const revision = revisions['product']!;
  const event = { id: 'e', stream: `product-${productId}`, revision, position: 1, type: 'ProductPriceChanged' };
  const degraded = {
    since: projectedAt,
    triedAt: projectedAt,
    error: 'a fault that is mended',
    event,
    seen: revisions,
  };
  const write = {
    key,
    expected: revisions,
    revisions,
    sections,
    fields: products.fields(sections),
    projectedAt,
    degraded,
  };
  expect(await readStore.commit({ collection: live!.collection, partition, writes: [write], position: at(0) })).toEqual(
    [],
  );
  await readStore.close();
}

test('beside a running server one document stands still and its neighbour goes on', async () => {
  const shop = await open();
  for (const productId of [bad, good]) await shop.command('/v1/products', { productId, name: 'Tea', ...euros(100) });
  await poison(bad);

  expect(await shop.read(good, await shop.command(`/v1/products/${good}/price`, euros(200)))).toMatchObject(euros(200));
  const stale = await shop.read(bad, await shop.command(`/v1/products/${bad}/stock`, { change: 5 }));
  expect(stale).toMatchObject({ ...euros(100), degraded: { since: expect.any(String) as unknown } });

  expect((await waybill('quarantine', 'list')).body).toMatchObject({
    entries: [{ projection: 'products', key: bad, event: { type: 'ProductListed', revision: 1 }, waiting: 2 }],
  });
  expect((await waybill('status')).body).toMatchObject({ quarantine: 1, server: { running: true } });
  expect(await waybill('audit', 'verify')).toMatchObject({ exitCode: 0, body: { ok: true } });
  expect(await waybill('quarantine', 'release', bad)).toMatchObject({
    exitCode: 1,
    body: { released: [], failed: [{ key: bad }] },
  });
  expect(await shop.read(good, await shop.command(`/v1/products/${good}/price`, euros(300)))).toMatchObject(euros(300));
}, 120_000);

test('beside a running server that gets events of it all the while, a document is released', async () => {
  const shop = await open();
  const first = await shop.command('/v1/products', { productId: bad, name: 'Tea', ...euros(100) });
  await shop.read(bad, first);
  await quarantine(bad);
  const before = await shop.read(bad, await shop.command(`/v1/products/${bad}/price`, euros(101)));
  expect(before).toMatchObject({ ...euros(100), degraded: {} });

  let isReleased = false;
  const releasing = waybill('quarantine', 'release', bad).finally(() => (isReleased = true));
  let amount = 101;
  let last = first;
  while (!isReleased) {
    amount += 1;
    last = await shop.command(`/v1/products/${bad}/price`, euros(amount));
  }
  expect(await releasing).toMatchObject({ exitCode: 0, body: { released: [{ projection: 'products', key: bad }] } });
  const after = await shop.read(bad, last);
  expect(after).toMatchObject(euros(amount));
  expect(after).not.toHaveProperty('degraded');
  expect(await waybill('audit', 'verify')).toMatchObject({ exitCode: 0, body: { ok: true, quarantined: [] } });
}, 120_000);
