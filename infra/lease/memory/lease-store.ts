import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import type { LeaseRecord, LeaseRecords } from '../lease-record.js';
import { leaseStore } from '../lease-store.js';

/** What the memory holds, for any number of stores over it. */
export type MemoryLeases = Map<string, LeaseRecord>;

/** Leases in the memory of this process. */
export function openMemoryLeaseStore(leases: MemoryLeases, clock: SteadyClock): LeaseStore {
  return leaseStore(memoryLeaseRecords(leases), clock);
}

export function memoryLeaseRecords(leases: MemoryLeases): LeaseRecords {
  /** Puts in what becomes of a record where the condition holds. */
  function change(name: string, next: (present: LeaseRecord | undefined) => LeaseRecord | undefined): boolean {
    const record = next(leases.get(name));
    if (record !== undefined) leases.set(name, record);
    return record !== undefined;
  }

  return {
    find: async (name) => leases.get(name),
    list: async (prefix) =>
      [...leases.values()]
        .filter(({ name }) => name.startsWith(prefix))
        .sort((left, right) => Buffer.compare(Buffer.from(left.name), Buffer.from(right.name))),
    insert: async (record) => change(record.name, (found) => (found === undefined ? record : undefined)),
    replace: async ({ token, beat }, record) =>
      change(record.name, (found) => (found?.token === token && found.beat === beat ? record : undefined)),
    beat: async (leases, ttl) =>
      leases.filter(({ name, owner, token }) =>
        change(name, (found) =>
          found?.token === token && found.owner === owner ? { ...found, beat: found.beat + 1, ttl } : undefined,
        ),
      ),
    vacate: async (name, owner, token) => {
      change(name, (found) =>
        found?.token === token && found.owner === owner ? { ...found, owner: null } : undefined,
      );
    },
    close: async () => {},
  };
}
