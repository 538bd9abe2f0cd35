import { afterEach } from '@jest/globals';
import { worklistContract } from './worklist.contract.js';
import { describeWithServer, ScratchDatabase } from '@waybill/infra/mongodb/testing/server-under-test.js';
import { openMongoDbReadStore } from '@waybill/infra/read-store/mongodb/read-store.js';

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
