import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { at } from '@waybill/shared-kernel/testing/at.js';
import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import { readStoreContract, sampleCollection, sampleWrite } from '@waybill/shared-kernel/ports/read-store.contract.js';
import type { CollectionSpec, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { MongoClient, type Collection, type Db } from 'mongodb';
import { describeWithServer, mongoDbUrl, ScratchDatabase } from '../../mongodb/testing/server-under-test.js';
import { collectionName, indexesOf } from './collection-layout.js';
import { groupPipeline } from './groups.js';
import { listFilter, listOrder, orderedDrivers } from './list-filter.js';
import { openMongoDbReadStore } from './read-store.js';
import type { MongoDbDocument } from './stored-document.js';

describe('a list', () => {
  const collection: CollectionSpec = { ...sampleCollection(), name: 'poor', indexes: [['customer']] };

  test.each([
    [{ equal: { status: 'placed' } }, 'poor.v1 has no index for a list by status'],
    [{}, 'poor.v1 has no index for a list by nothing'],
    [{ startsWith: { merchant: ['m'] } }, 'poor.v1: merchant is not in "searched"'],
    [{ contains: { word: 'common' } }, 'poor.v1: word is not in "multiple"'],
  ])('by %j, which no index answers, is refused', (query, message) => {
    expect(() => orderedDrivers(collection, { ...query, limit: 1 })).toThrow(message);
  });

  test.each([
    [{ order: 'amount' }, 'poor.v1: the order amount is no text field'],
    [{ indexes: [['nothing']] }, 'poor.v1: there is no field nothing to index'],
    [{ groups: [{ by: 'day', and: 'nothing', sum: 'amount' }] }, 'poor.v1: there is no field nothing to index'],
  ])('there is no collection with %j', (fault, message) => {
    expect(() => indexesOf({ ...collection, ...fault })).toThrow(message);
  });
});

describeWithServer('with a MongoDB server', () => {
  const database = new ScratchDatabase();
  const client = new MongoClient(mongoDbUrl || 'mongodb://none');
  const opened: ReadStore[] = [];
  let store: ReadStore;
  let collection: CollectionSpec;
  let raw: Db;
  let documents: Collection<MongoDbDocument>;

  readStoreContract('mongodb', { open: () => Promise.resolve(openMongoDbReadStore({ url: database.url })) });

  beforeEach(async () => {
    store = open();
    collection = sampleCollection();
    await store.declare(collection);
    raw = client.db(database.name);
    documents = raw.collection<MongoDbDocument>(collectionName(collection));
  });

  afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));

  afterAll(async () => {
    await client.close();
    await database.dispose();
  });

  function open(readonly = false): ReadStore {
    const fresh = openMongoDbReadStore({ url: database.url, readonly });
    opened.push(fresh);
    return fresh;
  }

  const commit = (...writes: ReturnType<typeof sampleWrite>[]) =>
    store.commit({ collection, partition: 0, writes, position: at(1) });

  describe('a collection', () => {
    const indexNames = async (of: CollectionSpec): Promise<unknown[]> => {
      const indexes = await raw.collection(collectionName(of)).listIndexes().toArray();
      return indexes.map(({ name }): unknown => name).sort();
    };
    const names = ['_id_', 'by:', 'by:customer', 'by:status', 'by:customer+status', 'by:amount'];
    names.push('with:merchant', 'search:word', 'groups:day+status+amount', 'quarantined', 'sums');
    names.sort();

    test('has an index for each of its queries', async () => {
      expect(await indexNames(collection)).toEqual(names);
    });

    test('gets the indexes of a newer program, and loses those it has no more use for', async () => {
      const older = sampleCollection();
      await raw.collection(collectionName(older)).createIndex({ old: 1 }, { name: 'by:old' });
      const declaration = { _id: collectionName(older), spec: JSON.stringify(older), indexesVersion: 0 };
      await raw.collection<typeof declaration>('collections').insertOne(declaration);
      await open().declare(older);
      expect(await indexNames(older)).toEqual(names);
    });

    test('is made once by however many at once', async () => {
      const other = sampleCollection();
      await Promise.all(Array.from({ length: 5 }, () => open().declare(other)));
      await open(true).declare(other);
      expect(await indexNames(other)).toEqual(names);
    });

    test('in another form is refused', async () => {
      const other = { ...collection, indexes: [] };
      await expect(open().declare(other)).rejects.toThrow(BadDataFile);
      await expect(open().declare(other)).rejects.toThrow(`holds ${collection.name}.v1 in a form`);
    });

    test('is not made by who only reads', async () => {
      const reader = open(true);
      const other = sampleCollection();
      await expect(reader.declare(other)).rejects.toThrow(Unavailable);
      await reader.declare(collection);
      await commit(sampleWrite('a'));
      expect(await reader.count(collection)).toBe(1);
    });
  });

  test('sections come back whatever names and characters are in them', async () => {
    const sections = { 'a.b': { $set: 1, '': ['\0', '\ud83d', 1e300, -0.5] } };
    await commit({ ...sampleWrite('a'), sections });
    const [found] = await store.load(collection, ['a']);
    expect(found!.sections).toEqual(sections);
  });

  test('a document that somebody damaged is scanned with what can be read of it', async () => {
    await commit(sampleWrite('a', { merchants: ['m'] }), sampleWrite('b'));
    await documents.updateOne(
      { _id: 'a' },
      { $set: { sections: '{' }, $unset: { single: 1, multiple: 1, revisions: 1 } },
    );
    const scanned = await store.scan(collection, undefined, 10);
    expect(scanned.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(scanned[0]).toMatchObject({
      revisions: {},
      sections: {},
      fields: { single: { customer: null }, multiple: { merchant: [], word: [] } },
    });
  });

  test('new documents beside replacements go in, or are told as conflicts where they are there already', async () => {
    await commit(sampleWrite('a'), sampleWrite('b'));
    expect(await commit(sampleWrite('a', {}, 1), sampleWrite('b'), sampleWrite('c'))).toEqual(['b']);
    const found = await store.load(collection, ['a', 'b', 'c']);
    const revisions = found.map((document) => [document.key, document.revisions]).toSorted();
    expect(revisions).toEqual([
      ['a', sampleWrite('a', {}, 1).revisions],
      ['b', sampleWrite('b').revisions],
      ['c', sampleWrite('c').revisions],
    ]);
    expect(await commit(sampleWrite('c', {}, 1))).toEqual([]);
  });

  test('a commit whose replacements met nothing of what they expected names them all', async () => {
    await commit(sampleWrite('a'), sampleWrite('b'), sampleWrite('c'));
    const again = [sampleWrite('a', {}, 1), sampleWrite('b', {}, 5), sampleWrite('c', {}, 1), sampleWrite('d', {}, 1)];
    expect(await commit(...again)).toEqual(['b', 'd']);
  });

  test('no two answers of the change counter are equal, since others write unseen', () => {
    expect(store.changeCounter()).not.toBe(store.changeCounter());
  });
});

/** Only MongoDB itself tells plans; servers that merely speak its protocol have others, or none. */
async function isMongoDb(): Promise<boolean> {
  if (mongoDbUrl === '') return false;
  const client = new MongoClient(mongoDbUrl);
  try {
    return 'storageEngines' in (await client.db('admin').command({ buildInfo: 1 }));
  } finally {
    await client.close();
  }
}

const describeWithMongoDb: typeof describe.skip = (await isMongoDb()) ? describe : describe.skip;

describeWithMongoDb('the plan of MongoDB, which no other server tells,', () => {
  const database = new ScratchDatabase();
  const client = new MongoClient(mongoDbUrl || 'mongodb://none');
  const store = openMongoDbReadStore({ url: database.url });
  const collection = sampleCollection();
  const after = { order: '2026-01-01T00:00:50.000Z', key: 'k50' };
  let documents: Collection<MongoDbDocument>;

  beforeEach(async () => {
    await store.declare(collection);
    documents = client.db(database.name).collection<MongoDbDocument>(collectionName(collection));
    const writes = Array.from({ length: 100 }, (_, index) =>
      sampleWrite(`k${index}`, {
        at: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString(),
        customer: `c${index % 10}`,
        merchants: [`m${index % 3}`],
        words: ['common', `rare${index}`],
      }),
    );
    await store.commit({ collection, partition: 0, writes, position: at(1) });
  });

  afterAll(async () => {
    await Promise.all([store.close(), client.close()]);
    await database.dispose();
  });

  test.each([
    [{}],
    [{ equal: { customer: 'c1' } }],
    [{ equal: { customer: null } }],
    [{ equal: { customer: 'c1', status: 'placed' }, after }],
    [{ equal: { status: 'placed' }, from: '2026-01-01', to: '2026-01-02', after }],
    [{ contains: { merchant: 'm1' }, after }],
  ])('reads a list by %j from an index in its order', async (query) => {
    const plan = await planOf(query);
    expect(plan).toContain('"IXSCAN"');
    expect(plan).not.toContain('"COLLSCAN"');
    expect(plan).not.toContain('"SORT"');
  });

  test.each([[{ startsWith: { word: ['rare1'] } }], [{ startsWith: { word: ['a.b'] } }]])(
    'finds a list by %j in an index',
    async (query) => {
      const plan = await planOf(query);
      expect(plan).toContain('"IXSCAN"');
      expect(plan).not.toContain('"COLLSCAN"');
    },
  );

  test('answers groups from their index alone', async () => {
    const query = { by: 'day', and: 'status', sum: 'amount', from: '2026', to: '2027' };
    const plan = JSON.stringify(await documents.aggregate(groupPipeline(query)).explain('queryPlanner'));
    expect(plan).toContain('"groups:day+status+amount"');
    expect(plan).not.toContain('"COLLSCAN"');
    expect(plan).not.toContain('"FETCH"');
  });

  async function planOf(query: object): Promise<string> {
    const explained = await documents
      .find(listFilter(collection, { ...query, limit: 20 }))
      .sort(listOrder(collection))
      .limit(20)
      .explain('queryPlanner');
    const { queryPlanner } = explained as { queryPlanner: { winningPlan: unknown } };
    return JSON.stringify(queryPlanner.winningPlan);
  }
});
