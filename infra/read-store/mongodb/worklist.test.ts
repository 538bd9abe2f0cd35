import { afterEach } from '@jest/globals';
import { worklistContract } from '@waybill/shared-kernel/worklist.contract.js';
import { describeWithServer, ScratchDatabase } from '../../mongodb/testing/server-under-test.js';
import { openMongoDbReadStore } from './read-store.js';

describeWithServer('with a MongoDB server', () => {
  const databases: ScratchDatabase[] = [];

  worklistContract('mongodb', () => {
    const database = new ScratchDatabase();
    databases.push(database);
    return Promise.resolve(openMongoDbReadStore({ url: database.url }));
  });

  afterEach(async () => {
    for (const database of databases.splice(0)) await database.dispose();
  });
});
