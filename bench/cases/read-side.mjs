import { join } from 'node:path';
import { openReadModels } from '../../infra/dist/read-store/sqlite/schema.js';
import { openSqliteReadStore } from '../../infra/dist/read-store/sqlite/read-store.js';
import { orders } from '../../projections/dist/read-models/orders.js';
import { products } from '../../projections/dist/read-models/products.js';
import { searchedWords } from '../../projections/dist/read-models/words.js';
import { orderIdOf } from '../orders-log.mjs';
import { lastingScratchFolder } from '../scratch.mjs';

/** Two million orders are a gigabyte or so, and some ten minutes to write. */
const documents = Number(process.env.WAYBILL_BENCH_DOCUMENTS ?? 200_000);
const merchants = 20;
const customers = 1000;
const articles = 12_000;
const many = documents.toLocaleString('en');
const names = ['Desk', 'Lamp', 'Red', 'Blue', 'Tea', 'Pot', 'Cup', 'Oak', 'Tin', 'Jar'];
const letters = 'abcdefghijklmnopqrstuvwxyz';

let opened;

/** Read models of so many orders and products, once for all cases here. */
async function readModels() {
  opened ??= await fill();
  return opened;
}

async function fill() {
  const { folder, remove } = lastingScratchFolder();
  const file = join(folder, 'read-models.sqlite');
  const store = openSqliteReadStore(file);
  await write(store, orders, documents, orderSections);
  await write(store, products, articles, productSections);
  return { store, raw: openReadModels(file, true), remove };
}

async function write(store, { collection, fields }, count, sectionsOf) {
  await store.declare(collection);
  for (let from = 0; from < count; from += 1000) {
    const writes = Array.from({ length: Math.min(1000, count - from) }, (_, index) => {
      const sections = sectionsOf(from + index);
      const projectedAt = '2026-01-01T00:00:00.000Z';
      const revisions = { [collection.name.slice(0, -1)]: 0 };
      const key = orderIdOf(from + index);
      return { key, expected: undefined, revisions, sections, fields: fields(sections), projectedAt };
    });
    await store.commit({ collection, partition: 0, writes, position: { through: from + 1, anchors: [] } });
  }
}

/** A year of orders, delivered but for each tenth, which is on its way: those of two merchants. */
function orderSections(number) {
  const at = new Date(Date.UTC(2025, 0, 1) + (number * 365 * 86_400_000) / documents).toISOString();
  const line = { productId: `p-${number % 500}`, merchantId: `m-${number % merchants}`, name: 'Desk Lamp' };
  const placed = {
    orderId: orderIdOf(number),
    customerId: `customer-${number % customers}`,
    lines: [{ ...line, quantity: 1, unitPrice: 18_000, freight: null }],
    currency: 'KRW',
    total: 18_000,
    deliveryAddress: null,
    promisedBy: null,
    placedAt: at,
    imported: false,
  };
  const end = { rejection: null, cancellation: null, dispatchedAt: at, failedAt: null };
  return { order: { placed, confirmedAt: at, deliveredAt: number % 10 === 0 ? null : at, ...end } };
}

/** Products of which each has a word with every letter but one at its beginning: each word is common, all are nowhere. */
function productSections(number) {
  const own = [...letters].filter((_, index) => index !== number % letters.length);
  const name = own.map((letter, index) => `${letter}${names[(number + index) % 10].toLowerCase()}`).join(' ');
  const listed = { productId: `p-${number}`, merchantId: 'm-1', name, at: '2026-01-01T00:00:00.000Z' };
  return { product: { listed, unitPrice: { amount: 1, currency: 'KRW' }, stock: null, withdrawn: false } };
}

const times = 20;

/** Milliseconds of a page, at the median. */
async function median(work) {
  const taken = [];
  for (let time = 0; time < times; time += 1) {
    const began = performance.now();
    await work();
    taken.push(performance.now() - began);
  }
  return taken.sort((a, b) => a - b)[times >> 1];
}

const sidesOf = (ours, theirs) => async () => {
  const models = await readModels();
  return { ours: () => median(() => ours(models)), theirs: () => median(() => theirs(models)) };
};

const page = { limit: 20 };

export const narrowList = {
  name: 'narrow-list',
  what: `a merchant's orders in a status that none of them has and many others have, of ${many}`,
  against: 'the same by the index of the merchant alone, each of its orders tested',
  unit: 'ms',
  atMost: 0.1,
  sides: sidesOf(
    ({ store }) => store.page(orders.collection, { ...page, contains: { merchantStatus: 'out_for_delivery m-3' } }),
    ({ store }) =>
      store.page(orders.collection, {
        ...page,
        contains: { merchantId: 'm-3' },
        equal: { status: 'out_for_delivery' },
        candidates: documents,
      }),
  ),
};

export const dailyReport = {
  name: 'daily-report',
  what: `sums of a year of ${many} orders`,
  against: 'a raw `GROUP BY` over the times of the same orders',
  unit: 'ms',
  atMost: 0.1,
  sides: sidesOf(
    ({ store }) => store.sums(orders.collection, { owner: '', from: '2025-01-01', to: '2025-12-31' }),
    ({ raw }) =>
      raw
        .prepare(
          `SELECT substr("single:placedAt", 1, 10) AS day, count(*), sum(18000)
           FROM "orders@${orders.collection.version}" GROUP BY day`,
        )
        .all(),
  ),
};

export const manyWords = {
  name: 'many-words',
  what: `a search for 26 beginnings of words, ${articles.toLocaleString('en')} products`,
  against: 'one `MATCH` of the full-text index for all of them',
  unit: 'ms',
  atMost: 0.2,
  sides: sidesOf(
    ({ store }) =>
      store.page(products.collection, { ...page, startsWith: { word: searchedWords([...letters].join(' ')) } }),
    ({ raw }) =>
      raw
        .prepare(
          `SELECT rowid FROM "products@${products.collection.version}:search"
           WHERE "products@${products.collection.version}:search" MATCH ? LIMIT 20`,
        )
        .all([...letters].map((letter) => `"0${letter}" *`).join(' AND ')),
  ),
};

export async function closeReadSide() {
  if (opened === undefined) return;
  const { store, raw, remove } = await opened;
  raw.close();
  await store.close();
  remove();
}
