import { leaseContract } from '@waybill/shared-kernel/ports/lease.contract.js';
import { virtualClock } from '../../clock/seeded.js';
import { leaseRecordsContract } from '../testing/lease-records.contract.js';
import { memoryLeaseRecords, openMemoryLeaseStore, type MemoryLeases } from './lease-store.js';

const leases: MemoryLeases = new Map();
let processes = 0;

leaseContract('memory', {
  open: async () => {
    processes += 1;
    const clock = virtualClock(processes * 1_000_000);
    return { ...clock, store: openMemoryLeaseStore(leases, clock) };
  },
});

leaseRecordsContract('memory', () => memoryLeaseRecords(leases));
