import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { at } from '@waybill/shared-kernel/testing/at.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { sampleCollection, sampleWrite } from '@waybill/shared-kernel/ports/read-store.contract.js';
import type { CollectionSpec, DocumentWrite, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import fc from 'fast-check';
import { TcpProxy } from '../../testing/tcp-proxy.js';
import { describeWithServer, ScratchDatabase, serverAddress } from '../../mongodb/testing/server-under-test.js';
import { describeWithServerProcess, ServerProcess } from '../../mongodb/testing/server-process.js';
import { freePort } from '../../testing/loopback-port.js';
import { openMongoDbReadStore } from './read-store.js';

/** Revision `revision` of documents `k0` … */
function writesOf(count: number, revision: number): DocumentWrite[] {
  return Array.from({ length: count }, (_, index) =>
    sampleWrite(`k${index}`, { amount: revision, words: ['word'.repeat(20)] }, revision),
  );
}

/** Brings every document up to a revision, from wherever each is, as a projector does after a fault. */
async function bringUpTo(store: ReadStore, collection: CollectionSpec, count: number, revision: number): Promise<void> {
  const wanted = writesOf(count, revision);
  const keys = wanted.map(({ key }) => key);
  for (let conflicts: readonly string[] | undefined; conflicts?.length !== 0;) {
    const found = await store.load(collection, keys);
    const revisions = new Map(found.map((document) => [document.key, document.revisions]));
    const writes = wanted
      .filter(({ key }) => revisions.get(key)?.['order'] !== revision)
      .map((write) => ({ ...write, expected: revisions.get(write.key) }));
    // A batch that was given up may still be on its way and come in between.
    conflicts = await store.commit({ collection, partition: 0, writes, position: at(revision + 1) });
  }
}

async function revisionsIn(store: ReadStore, collection: CollectionSpec): Promise<number[]> {
  const documents = await store.scan(collection, undefined, 1000);
  return documents.map(({ revisions }) => revisions['order']!);
}

describe('without a server', () => {
  const collection = sampleCollection();
  const write = { collection, partition: 0, writes: [sampleWrite('a')], position: at(1) };

  test.each<[string, (store: ReadStore) => Promise<unknown>]>([
    ['declares nothing', (store) => store.declare(collection)],
    ['tells no position', (store) => store.positions(collection)],
    ['tells no position of a consumer', (store) => store.consumerPosition('c', 0)],
    ['saves no position of a consumer', (store) => store.saveConsumerPosition('c', 0, at(1))],
    ['resets no position of a consumer', (store) => store.resetConsumerPosition('c', 0, at(1), at(1))],
  ])('it says that it is unavailable: %s', async (_, work) => {
    const store = openMongoDbReadStore({
      url: `mongodb://127.0.0.1:${await freePort()}`,
      tuning: { selectTimeout: 30 },
    });
    await expect(work(store)).rejects.toThrow(Unavailable);
    await store.close();
  });

  test('what was not declared is a fault of the program', async () => {
    const store = openMongoDbReadStore({ url: 'mongodb://127.0.0.1' });
    await expect(store.commit(write)).rejects.toThrow(`${collection.name}.v1 is not declared`);
    await store.close();
  });
});

describeWithServer('over a line to a MongoDB server', () => {
  const database = new ScratchDatabase();
  const tuning = { selectTimeout: 1000, readPatience: 1000, writePatience: 1000 };
  let proxy: TcpProxy;
  let direct: ReadStore;
  let store: ReadStore;
  let collection: CollectionSpec;

  beforeEach(async () => {
    proxy = await TcpProxy.listen(serverAddress());
    direct = openMongoDbReadStore({ url: database.url });
    store = openMongoDbReadStore({ url: database.urlThrough(proxy.port), tuning });
    await fresh();
  });

  afterEach(async () => {
    proxy.resume();
    await Promise.all([direct.close(), store.close()]);
    await proxy.close();
  });

  afterAll(() => database.dispose());

  async function fresh(): Promise<void> {
    collection = sampleCollection();
    await direct.declare(collection);
    await store.declare(collection);
  }

  test('that is cut in the middle of a batch, the position stays behind what is in, and asked again all goes in', async () => {
    const count = 30;
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40_000 }), async (bytes) => {
        await fresh();
        await direct.commit({ collection, partition: 0, writes: writesOf(count / 2, 0), position: at(1) });
        const writes = [...writesOf(count / 2, 1), ...writesOf(count, 0).slice(count / 2)];
        proxy.cutAfter(bytes);
        const answer = await store
          .commit({ collection, partition: 0, writes, position: at(2) })
          .catch((error: unknown) => {
            expect(error).toBeInstanceOf(Unavailable);
            cuts += 1;
          });
        proxy.cutAfter(Infinity);
        const { through: position } = await direct.position(collection, 0);
        if (answer !== undefined) expect(position).toBe(2);
        if (position === 2) {
          const applied = await revisionsIn(direct, collection);
          expect(applied.filter((revision) => revision === 1)).toHaveLength(count / 2);
          expect(applied).toHaveLength(count);
        }
        await eventually(() => bringUpTo(store, collection, count, 2));
        expect(new Set(await revisionsIn(direct, collection))).toEqual(new Set([2]));
        expect((await direct.position(collection, 0)).through).toBe(3);
      }),
      { numRuns: 25 },
    );
    expect(cuts).toBeGreaterThan(0);
  });

  test('that falls silent, it says that it is unavailable, and goes on when there is an answer again', async () => {
    await store.commit({ collection, partition: 0, writes: writesOf(5, 0), position: at(1) });
    proxy.stall();
    await expect(store.load(collection, ['k1'])).rejects.toThrow(Unavailable);
    await expect(store.list(collection, { limit: 1 })).rejects.toThrow(Unavailable);
    await expect(store.commit({ collection, partition: 0, writes: writesOf(5, 1), position: at(2) })).rejects.toThrow(
      Unavailable,
    );
    proxy.resume();
    await eventually(() => store.load(collection, ['k1']));
    await eventually(() => bringUpTo(store, collection, 5, 2));
    expect((await direct.position(collection, 0)).through).toBe(3);
  });

  test('that falls silent, closing does not wait for it', async () => {
    const other = openMongoDbReadStore({ url: database.urlThrough(proxy.port), tuning });
    await other.position(collection, 0);
    proxy.stall();
    await other.close();
  });

  test('that is slow, it waits', async () => {
    proxy.delay(20);
    proxy.cut();
    await eventually(() => bringUpTo(store, collection, 5, 0));
    expect(await revisionsIn(direct, collection)).toEqual([0, 0, 0, 0, 0]);
  });
});

describeWithServerProcess('a server that is killed', () => {
  const server = new ServerProcess();
  afterAll(() => server.dispose());

  test('keeps all that was acknowledged, and all goes on when it is back', async () => {
    await server.start();
    const store = openMongoDbReadStore({ url: server.url, tuning: { selectTimeout: 200 } });
    const collection = sampleCollection();
    const count = 50;
    await store.declare(collection);
    let acknowledged = -1;
    for (let round = 0; round < 3; round += 1) {
      const killed = acknowledged + 5;
      let dying: Promise<void> | undefined;
      for (let revision = acknowledged + 1; ; revision += 1) {
        // In the middle of a batch: as it is under way.
        if (revision === killed) dying = server.kill();
        try {
          await bringUpTo(store, collection, count, revision);
          acknowledged = revision;
        } catch (error) {
          expect(error).toBeInstanceOf(Unavailable);
          break;
        }
      }
      await dying;
      await expect(store.position(collection, 0)).rejects.toThrow(Unavailable);
      await server.start();
      const { through: position } = await eventually(() => store.position(collection, 0));
      expect(position).toBeGreaterThanOrEqual(acknowledged + 1);
      const applied = await revisionsIn(store, collection);
      expect(applied).toHaveLength(count);
      expect(Math.min(...applied)).toBeGreaterThanOrEqual(position - 1);
    }
    await eventually(() => bringUpTo(store, collection, count, acknowledged + 2));
    expect(new Set(await revisionsIn(store, collection))).toEqual(new Set([acknowledged + 2]));
    await store.close();
  });
});

/** Asks until there is an answer. */
async function eventually<T>(question: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
    }
  }
}
