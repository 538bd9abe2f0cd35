import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { at } from '@waybill/shared-kernel/testing/at.js';
import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import { readStoreContract, sampleCollection, sampleWrite } from '@waybill/shared-kernel/ports/read-store.contract.js';
import type {
  DocumentWrite,
  ListPage,
  ListQuery,
  Place,
  ReadStore,
  StoredDocument,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Database } from '../../sqlite/database.js';
import { collectionTable } from './collection-table.js';
import { groupStatement } from './group-statement.js';
import {
  countStatement,
  countWordsStatement,
  listStatement,
  orderedDrivers,
  searchedBeginnings,
  throughStatement,
  type Bound,
  type Driver,
} from './list-statement.js';
import { openSqliteReadStore } from './read-store.js';
import { openReadModels } from './schema.js';
import { searchQuery } from './search-tokens.js';
import type { BatchesToCommit } from './testing/commit-batches.js';

const root = mkdtempSync(join(tmpdir(), 'waybill-read-models-'));

afterAll(() => {
  rmSync(root, { recursive: true });
});

readStoreContract('sqlite', { open: () => Promise.resolve(openSqliteReadStore(join(root, 'contract.sqlite'))) });

const collection = { ...sampleCollection(), name: 'orders' };

function newFile(): string {
  return join(mkdtempSync(join(root, 'test-')), 'read-models.sqlite');
}

/** Documents a second apart, the younger ones with the greater keys. */
function documents(count: number): DocumentWrite[] {
  return Array.from({ length: count }, (_, index) =>
    sampleWrite(`k${String(index).padStart(6, '0')}`, {
      at: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString(),
      customer: `c${index % 10}`,
      merchants: [`m${index % 3}`],
      words: ['common', `rare${index}`, index % 2 === 0 ? 'even' : 'odd'],
    }),
  );
}

describe('with many documents', () => {
  const file = newFile();
  const all = documents(2500);
  const table = collectionTable(collection);
  let store: ReadStore;
  let database: Database;

  beforeAll(async () => {
    store = openSqliteReadStore(file);
    await store.declare(collection);
    await store.commit({ collection, partition: 0, writes: all, position: at(all.length) });
    database = openReadModels(file, true);
  });

  afterAll(async () => {
    database.close();
    await store.close();
  });

  function planOf({ sql, parameters }: Bound): string[] {
    return database
      .prepare<[id: number, parent: number, unused: number, step: string]>(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...parameters)
      .map(([, , , step]) => step);
  }

  const after = { order: '2026-01-01T00:10:00.000Z', key: 'k000600' };
  const ranges: readonly Partial<ListQuery>[] = [
    {},
    { from: '2026-01-01' },
    { from: '2026-01-01', to: '2026-01-02' },
    { after },
    { from: '2026-01-01', to: '2026-01-02', after },
  ];
  const filters: readonly Partial<ListQuery>[] = [
    {},
    { equal: { customer: 'c1' } },
    { equal: { customer: null } },
    { equal: { status: 'placed' } },
    { equal: { customer: 'c1', status: 'placed' } },
    { equal: { amount: 100 } },
    { contains: { merchant: 'm1' } },
    { contains: { merchant: 'm1' }, equal: { status: 'placed' } },
    { startsWith: { word: ['rare1'] } },
    { startsWith: { word: ['com', 'ev'] }, equal: { customer: 'c1' } },
    { startsWith: { word: ['com'] }, contains: { merchant: 'm1' } },
  ];

  describe.each(filters)('a list by %j', (filter) => {
    test('reads an index, in order, and no table from end to end', () => {
      for (const range of ranges) {
        const query = { ...filter, ...range, limit: 20 };
        for (const driver of drivers(query)) {
          for (const statement of statementsOf(query, driver)) {
            const plan = planOf(statement);
            expect(plan.filter((step) => step.startsWith('SCAN') && !isOfResults(step))).toEqual([]);
            // What a search found is in no order; that it is little is seen to before.
            if (driver.kind !== 'search') expect(plan.filter((step) => step.includes('TEMP B-TREE'))).toEqual([]);
          }
        }
      }
    });

    test('is the same from whatever it is read', () => {
      for (const range of ranges) {
        const query = { ...filter, ...range, limit: 20 };
        const lists = drivers(query).map((driver) => {
          const { sql, parameters } = listStatement(table, query, driver);
          return database
            .prepare<[key: string]>(sql)
            .all(...parameters)
            .map(([key]) => key);
        });
        for (const list of lists) expect(list).toEqual(lists[0]);
      }
    });
  });

  /** Every way to read a list: those in its order, then by each word that is searched for. */
  function drivers(query: ListQuery): readonly Driver[] {
    const searches = searchedBeginnings(table, query).map((beginning) => ({ kind: 'search', beginning }) as const);
    return [...orderedDrivers(table, query), ...searches];
  }

  function statementsOf(query: ListQuery, driver: Driver): readonly Bound[] {
    const list = listStatement(table, query, driver);
    if (driver.kind === 'search') return [list, countWordsStatement(table, driver.beginning, 1001)];
    const through = { order: '2026-01-01T00:05:00.000Z', key: 'k000300' };
    return [
      list,
      listStatement(table, query, driver, through),
      countStatement(table, query, driver, 1001),
      throughStatement(table, query, driver, 1000),
    ];
  }

  /** Whether a step goes through what a search, or a query inside, found. */
  function isOfResults(step: string): boolean {
    return step.includes('VIRTUAL TABLE INDEX') || step === 'SCAN wanted' || step === 'SCAN counted';
  }

  test.each([{}, { equal: { customer: 'c1' } }, { contains: { merchant: 'm1' } }])(
    'a list by %j goes on where the page before ended, instead of walking there',
    (filter) => {
      const query = { ...filter, to: '2026-01-02', after, limit: 20 };
      const [driver, other] = orderedDrivers(table, query);
      const through = { order: '2026-01-01T00:05:00.000Z', key: 'k000300' };
      for (const statement of [
        listStatement(table, query, other ?? driver),
        listStatement(table, query, other ?? driver, through),
        throughStatement(table, query, other ?? driver, 10),
      ]) {
        expect(planOf(statement).join()).toMatch(/\((single:at|place),key\)<\(\?,\?\)/);
      }
      expect(planOf(listStatement(table, query, other ?? driver, through)).join()).toMatch(
        /\((single:at|place),key\)>\(\?,\?\)/,
      );
    },
  );

  test('groups are read from their index alone', () => {
    const plan = planOf(groupStatement(table, { by: 'day', and: 'status', sum: 'amount', from: '2026', to: '2027' }));
    expect(plan).toEqual([
      expect.stringMatching(/^SEARCH .* USING COVERING INDEX orders@1:groups:day\+status\+amount/),
    ]);
  });

  test('a word that most documents have is found newest first, page after page', async () => {
    const query = { startsWith: { word: ['comm', 'od'] }, contains: { merchant: 'm1' }, limit: 100 };
    const found: string[] = [];
    for (let after: Place | undefined; ;) {
      const page: ListPage = await store.page(collection, { ...query, ...(after !== undefined && { after }) });
      found.push(...page.documents.map(({ key }) => key));
      after = page.next;
      if (after === undefined) break;
    }
    const expected = all.filter((_, index) => index % 2 === 1 && index % 3 === 1).map(({ key }) => key);
    expect(found).toEqual(expected.reverse());
  });

  test('a list that no index answers is refused', async () => {
    const poor = { ...collection, name: 'poor', indexes: [['customer']] };
    await store.declare(poor);
    await expect(store.list(poor, { equal: { status: 'placed' }, limit: 1 })).rejects.toThrow(
      'poor@1 has no index for a list by status',
    );
    await expect(store.page(poor, { startsWith: { merchant: ['m'] }, limit: 1 })).rejects.toThrow(
      'poor@1: merchant is not in "searched"',
    );
    await expect(store.page(poor, { contains: { word: 'common' }, limit: 1 })).rejects.toThrow(
      'poor@1: word is not in "multiple"',
    );
  });
});

describe('beside one another', () => {
  test('a reader sees each document whole while another thread writes', async () => {
    const file = newFile();
    const store = openSqliteReadStore(file);
    await store.declare(collection);
    const batches = Array.from({ length: 500 }, (_, revision) => {
      const write = sampleWrite('a', { amount: revision, words: [`w${revision}`] }, revision);
      return { collection, partition: 0, writes: [write], position: at(revision + 1) };
    });
    const job: BatchesToCommit = { file, batches };
    const worker = new Worker(new URL('testing/commit-batches.js', import.meta.url), { workerData: job });
    const ended = new Promise<boolean>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => resolve(true));
    });
    const seen: StoredDocument[] = [];
    const pause = (): Promise<boolean> => new Promise((resolve) => setImmediate(() => resolve(false)));
    while (!(await Promise.race([ended, pause()]))) seen.push(...(await store.list(collection, { limit: 2 })));
    const last = await store.page(collection, { equal: { amount: 499 }, startsWith: { word: ['w499'] }, limit: 2 });
    seen.push(...last.documents);
    expect(seen.at(-1)?.revisions).toEqual({ order: 499 });
    const torn = seen.filter(
      ({ revisions, sections }) => (sections['order'] as { amount: number }).amount !== revisions['order'],
    );
    expect(torn).toEqual([]);
    await store.close();
  });

  test('a connection that only reads follows one that writes', async () => {
    const file = newFile();
    const writer = openSqliteReadStore(file);
    const reader = openSqliteReadStore(file, { readonly: true });
    await expect(reader.declare(collection)).rejects.toThrow(Unavailable);
    await writer.declare(collection);
    await reader.declare(collection);
    await writer.commit({ collection, partition: 0, writes: [sampleWrite('a')], position: at(1) });
    expect(await reader.count(collection)).toBe(1);
    await expect(
      reader.commit({ collection, partition: 0, writes: [sampleWrite('b')], position: at(2) }),
    ).rejects.toThrow(BadDataFile);
    await reader.close();
    await writer.close();
  });
});

describe('a file', () => {
  let file = '';
  beforeEach(() => {
    file = newFile();
  });

  test('that holds a collection in another form is refused, with what to do', async () => {
    const store = openSqliteReadStore(file);
    await store.declare(collection);
    await store.close();
    const next = openSqliteReadStore(file);
    await expect(next.declare({ ...collection, indexes: [] })).rejects.toThrow(
      `${file} holds orders version 1 in a form that this program does not know. Delete it: it is rebuilt from the log.`,
    );
    await next.close();
  });

  test('that is damaged is refused, with what to do', () => {
    writeFileSync(file, 'not a database, but long enough to be looked at'.repeat(100));
    expect(() => openSqliteReadStore(file)).toThrow(/is damaged or not a SQLite file. Delete it: it is rebuilt/);
  });

  test('holds equal documents as equal text, however they were put together', async () => {
    const store = openSqliteReadStore(file);
    await store.declare(collection);
    const sections = { delivery: { b: 1, a: 2 }, order: { z: null } };
    const turned = { order: sections.order, delivery: sections.delivery };
    const writes = [
      { ...sampleWrite('a'), sections, revisions: { order: 1, delivery: 2 } },
      { ...sampleWrite('b'), sections: turned, revisions: { delivery: 2, order: 1 } },
    ];
    await store.commit({ collection, partition: 0, writes, position: at(1) });
    const database = openReadModels(file, true);
    const rows = database.prepare<[string, string]>('SELECT revisions, sections FROM "orders@1"').all();
    expect(rows[0]).toEqual(rows[1]);
    database.close();
    await store.close();
  });

  test('forgets the words by which a document was searched before', async () => {
    const store = openSqliteReadStore(file);
    await store.declare(collection);
    await store.commit({
      collection,
      partition: 0,
      writes: [sampleWrite('a', { words: ['old', 'kept'] })],
      position: at(1),
    });
    const changed = sampleWrite('a', { words: ['new', 'kept'] }, 1);
    await store.commit({ collection, partition: 0, writes: [changed], position: at(2) });
    const database = openReadModels(file, true);
    const count = database.prepare<[number]>('SELECT count(*) FROM "orders@1:search" WHERE "orders@1:search" MATCH ?');
    const found = ['old', 'kept', 'new'].map((prefix) => count.get(searchQuery({ field: 0, prefix }))?.[0]);
    expect(found).toEqual([0, 1, 1]);
    database.close();
    await store.close();
  });

  test('must not be used for a collection that was not declared', async () => {
    const store = openSqliteReadStore(file);
    await expect(store.load(collection, ['a'])).rejects.toThrow('orders@1 is not declared');
    await store.close();
  });

  test.each([
    [{ order: 'amount' }, 'orders@1: the order amount is no text field'],
    [{ indexes: [['nothing']] }, 'orders@1: there is no field nothing to index'],
    [{ groups: [{ by: 'day', and: 'nothing', sum: 'amount' }] }, 'orders@1: there is no field nothing to index'],
  ])('takes no collection with %j', async (fault, message) => {
    const store = openSqliteReadStore(file);
    await expect(store.declare({ ...collection, ...fault })).rejects.toThrow(message);
    await store.close();
  });
});

test.each([
  ['shares of a document', (table: ReturnType<typeof collectionTable>) => `UPDATE ${table.documents} SET shares = 'x'`],
  ['parts of a sum', (table: ReturnType<typeof collectionTable>) => `UPDATE ${table.sums} SET high = 'x', low = 'y'`],
])('damaged %s stop nothing: what is wrong is told, and the document is written again', async (_, damage) => {
  const file = newFile();
  const store = openSqliteReadStore(file);
  await store.declare(collection);
  const first = sampleWrite('k1', { day: '2026-01-01', amount: 5, merchants: [] });
  await store.commit({ collection, partition: 0, position: at(1), writes: [first] });
  expect(await store.wrongSums(collection)).toEqual([]);
  const database = openReadModels(file, false);
  database.exec(damage(collectionTable(collection)));
  database.close();
  expect(await store.wrongSums(collection)).toHaveLength(1);
  const query = { owner: '', from: '2026-01-01', to: '2026-01-02' };
  expect(await store.sums(collection, query)).toHaveLength(1);
  expect(await store.scan(collection, undefined, 10)).toHaveLength(1);
  const again = sampleWrite('k1', { day: '2026-01-01', amount: 6, merchants: [] }, 1);
  const conflicts = await store.commit({ collection, partition: 0, position: at(2), writes: [again] });
  expect(conflicts).toEqual([]);
  await store.close();
});
