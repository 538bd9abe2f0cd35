import { afterAll, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { sampleCollection } from '@waybill/shared-kernel/ports/read-store.contract.js';
import { MongoClient } from 'mongodb';
import { freePort } from '../../testing/loopback-port.js';
import { describeWithServer, ScratchDatabase } from '../../mongodb/testing/server-under-test.js';
import { collectionName, indexesOf } from './collection-layout.js';
import { inspectMongoDb } from './inspect.js';
import { openMongoDbReadStore } from './read-store.js';

const answerTimeoutMs = 20_000;

test('a look at a MongoDB that is not there says so', async () => {
  const url = `mongodb://127.0.0.1:${await freePort()}`;
  await expect(inspectMongoDb({ url, collections: [], answerTimeoutMs: 50 })).rejects.toThrow(Unavailable);
});

describeWithServer('a look at MongoDB', () => {
  const database = new ScratchDatabase();
  afterAll(() => database.dispose());

  test('tells what it is and which indexes are missing, and leaves nothing behind', async () => {
    const { url } = database;
    const collections = [sampleCollection()];
    const name = collectionName(collections[0]!);
    const indexes = indexesOf(collections[0]!).map((index) => index.name);
    expect(await inspectMongoDb({ url, collections, answerTimeoutMs })).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+/),
      writeFault: undefined,
      missingIndexes: { [name]: indexes },
    });
    const readStore = openMongoDbReadStore({ url });
    await readStore.declare(collections[0]!);
    await readStore.close();
    expect((await inspectMongoDb({ url, collections, answerTimeoutMs })).missingIndexes).toEqual({});
    const client = new MongoClient(url);
    await client.db().collection(name).dropIndex(indexes[0]!);
    expect((await inspectMongoDb({ url, collections, answerTimeoutMs })).missingIndexes).toEqual({
      [name]: [indexes[0]],
    });
    expect(await client.db().collection('doctor').countDocuments()).toBe(0);
    await client.close();
  });
});
