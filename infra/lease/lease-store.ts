import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { HeldLease, Lease, LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import type { LeaseRecord, LeaseRecords } from './lease-record.js';
import { Watch } from './watch.js';

/** Leases over records that can be changed on a condition. `clock` must be steady: never set back or forth. */
export function leaseStore(records: LeaseRecords, clock: SteadyClock): LeaseStore {
  const watch = new Watch(clock);
  return {
    async acquire(name, owner, ttl) {
      const present = await records.find(name);
      if (present !== undefined && watch.isHeld(present)) return undefined;
      const record: LeaseRecord = { name, owner, token: (present?.token ?? 0) + 1, beat: 0, ttl };
      const asked = clock.now();
      const isOurs = present === undefined ? await records.insert(record) : await records.replace(present, record);
      return isOurs ? held(name, owner, record.token, asked + ttl) : undefined;
    },

    async renew(leases, ttl) {
      const asked = clock.now();
      const renewed = await records.beat(leases, ttl);
      return renewed.map(({ name, owner, token }) => held(name, owner, token, asked + ttl));
    },

    release: ({ name, owner, token }) => records.vacate(name, owner, token),

    async held(prefix) {
      const found: Lease[] = [];
      for (const record of await records.list(prefix)) {
        const { name, owner, token } = record;
        if (watch.isHeld(record) && owner !== null) found.push({ name, owner, token });
      }
      return found;
    },

    close: () => records.close(),
  };
}

function held(name: string, owner: string, token: number, heldUntil: number): HeldLease {
  return { name, owner, token, heldUntil };
}
