import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { leaseContract } from '@waybill/shared-kernel/ports/lease.contract.js';
import { virtualClock } from '../../clock/seeded.js';
import { leaseRecordsContract } from '../testing/lease-records.contract.js';
import { openSqliteLeaseRecords, openSqliteLeaseStore } from './lease-store.js';

let folder = '';
let processes = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-leases-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

leaseContract('sqlite', {
  open: async () => {
    processes += 1;
    const clock = virtualClock(processes * 1_000_000);
    return { ...clock, store: openSqliteLeaseStore(join(folder, 'leases.sqlite'), clock) };
  },
});

leaseRecordsContract('sqlite', () => openSqliteLeaseRecords(join(folder, 'leases.sqlite')));
