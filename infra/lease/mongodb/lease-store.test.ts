import { afterAll } from '@jest/globals';
import { leaseContract } from '@waybill/shared-kernel/ports/lease.contract.js';
import { virtualClock } from '../../clock/seeded.js';
import { describeWithServer, ScratchDatabase } from '../../mongodb/testing/server-under-test.js';
import { leaseRecordsContract } from '../testing/lease-records.contract.js';
import { openMongoDbLeaseRecords, openMongoDbLeaseStore } from './lease-store.js';

describeWithServer('with a MongoDB server', () => {
  const database = new ScratchDatabase();
  let processes = 0;
  afterAll(() => database.dispose());

  leaseContract('mongodb', {
    open: async () => {
      processes += 1;
      const clock = virtualClock(processes * 1_000_000);
      return { ...clock, store: openMongoDbLeaseStore({ url: database.url }, clock) };
    },
  });

  leaseRecordsContract('mongodb', () => openMongoDbLeaseRecords({ url: database.url }));
});
