import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Lease } from '@waybill/shared-kernel/ports/lease.js';
import type { LeaseRecord, LeaseRecords } from '../lease-record.js';

/** What all records of leases promise: a change is made only to what is still as its condition says. */
export function leaseRecordsContract(name: string, open: () => LeaseRecords): void {
  describe(`records of leases: ${name}`, () => {
    let records: LeaseRecords;
    let taken: LeaseRecord & Lease;
    /** By another, after `taken`. */
    let next: LeaseRecord & Lease;

    beforeAll(() => {
      records = open();
    });
    afterAll(() => records.close());
    beforeEach(() => {
      taken = { name: `lease-${randomUUID()}`, owner: 'one', token: 1, beat: 0, ttl: 1_000 };
      next = { ...taken, owner: 'other', token: 2 };
    });

    /** What is there of it. */
    const present = (): Promise<LeaseRecord | undefined> => records.find(taken.name);

    test('one is inserted where there is none, and stays as it was where there is one', async () => {
      expect(await present()).toBeUndefined();
      expect(await records.insert(taken)).toBe(true);
      expect(await records.insert(next)).toBe(false);
      expect(await present()).toEqual(taken);
    });

    test('one that stands as it was found is replaced, whether its owner let it go meanwhile or not', async () => {
      await records.insert(taken);
      expect(await records.replace(taken, next)).toBe(true);
      expect(await present()).toEqual(next);
      await records.vacate(next.name, 'other', 2);
      expect(await records.replace(next, { ...taken, token: 3 })).toBe(true);
      expect(await present()).toEqual({ ...taken, token: 3 });
    });

    test('one that its holder renewed since it was found is not replaced', async () => {
      await records.insert(taken);
      const found = (await present())!;
      await records.beat([taken], 1_000);
      expect(await records.replace(found, next)).toBe(false);
      expect(await present()).toEqual({ ...taken, beat: 1 });
    });

    test('nor is one that another took since, and that stands at the same beat', async () => {
      await records.insert(taken);
      expect(await records.replace(taken, next)).toBe(true);
      expect(await records.replace(taken, { ...next, owner: 'third' })).toBe(false);
      expect(await present()).toEqual(next);
    });

    test('nor is one that is not there', async () => {
      expect(await records.replace(taken, next)).toBe(false);
      expect(await present()).toBeUndefined();
    });

    test('one is renewed for a time by its holder alone, in its tenure and until it lets it go', async () => {
      await records.insert(next);
      expect(await records.beat([next], 3_000)).toEqual([next]);
      const renewed = { ...next, beat: 1, ttl: 3_000 };
      expect(await present()).toEqual(renewed);
      for (const late of [taken, { ...next, token: 1 }, { ...next, owner: 'one' }]) {
        expect(await records.beat([late], 5_000)).toEqual([]);
        expect(await present()).toEqual(renewed);
      }
      await records.vacate(next.name, 'other', 2);
      expect(await records.beat([next], 5_000)).toEqual([]);
      expect(await present()).toEqual({ ...renewed, owner: null });
    });

    test('one is let go by its holder alone, in its tenure', async () => {
      await records.insert(next);
      for (const [owner, token] of [
        ['one', 1],
        ['one', 2],
        ['other', 1],
      ] as const) {
        await records.vacate(next.name, owner, token);
        expect(await present()).toEqual(next);
      }
      await records.vacate(next.name, 'other', 2);
      expect(await present()).toEqual({ ...next, owner: null });
    });
  });
}
