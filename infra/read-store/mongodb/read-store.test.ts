import { afterAll } from '@jest/globals';
import { readStoreContract } from '@waybill/shared-kernel/ports/read-store.contract.js';
import { describeWithServer, ScratchDatabase } from '../../mongodb/testing/server-under-test.js';
import { openMongoDbReadStore } from './read-store.js';

describeWithServer('with a MongoDB server', () => {
  const database = new ScratchDatabase();
  afterAll(() => database.dispose());

  readStoreContract('mongodb', { open: () => Promise.resolve(openMongoDbReadStore({ url: database.url })) });
});
