import { afterAll } from '@jest/globals';
import { keyStoreContract } from '@waybill/shared-kernel/ports/keys.contract.js';
import { systemRandomness } from '../../clock/system.js';
import { describeWithServer, ScratchDatabase } from '../../mongodb/testing/server-under-test.js';
import { openMongoDbKeyStore } from './key-store.js';

describeWithServer('with a MongoDB server', () => {
  const database = new ScratchDatabase();
  const masterKeyText = Buffer.from(systemRandomness.bytes(32)).toString('base64');
  afterAll(() => database.dispose());

  keyStoreContract('mongodb', {
    open: () =>
      Promise.resolve(
        openMongoDbKeyStore({ url: database.url, masterKeyFile: '', masterKeyText, randomness: systemRandomness }),
      ),
  });
});
