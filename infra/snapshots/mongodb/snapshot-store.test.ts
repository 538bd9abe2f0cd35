import { afterAll, expect, test } from '@jest/globals';
import { snapshotStoreContract } from '@waybill/shared-kernel/ports/snapshots.contract.js';
import { MongoClient } from 'mongodb';
import { describeWithServer, ScratchDatabase } from '../../mongodb/testing/server-under-test.js';
import { openMongoDbSnapshotStore } from './snapshot-store.js';

describeWithServer('with a MongoDB server', () => {
  const database = new ScratchDatabase();
  afterAll(() => database.dispose());

  snapshotStoreContract('mongodb', { open: () => Promise.resolve(openMongoDbSnapshotStore({ url: database.url })) });

  test('what is no text any more comes as an empty one, and is no fault of the store', async () => {
    const client = new MongoClient(database.url);
    const snapshots = openMongoDbSnapshotStore({ url: database.url });
    await snapshots.save('s', { revision: 1, schemaVersion: 1, text: 'whole' });
    await client
      .db()
      .collection<{ _id: string }>('snapshots')
      .updateOne({ _id: 's' }, { $set: { text: 7 } });
    expect(await snapshots.load('s')).toEqual({ revision: 1, schemaVersion: 1, text: '' });
    await snapshots.close();
    await client.close();
  });
});
