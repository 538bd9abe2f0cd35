import { beforeEach, describe, expect, test } from '@jest/globals';
import type { LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import { virtualClock, type VirtualClock } from '../clock/seeded.js';
import type { LeaseRecords } from './lease-record.js';
import { leaseStore } from './lease-store.js';
import { memoryLeaseRecords, type MemoryLeases } from './memory/lease-store.js';

const ttl = 1_000;

/** Milliseconds that pass between a question and what it asks for, and again until its answer is there. */
let underWayMs: number;

/** Records that are far away, on the clock of whoever asks. */
function farAway(leases: MemoryLeases, clock: VirtualClock): LeaseRecords {
  const records = memoryLeaseRecords(leases);
  async function far<T>(question: () => Promise<T>): Promise<T> {
    clock.advance(underWayMs);
    const answer = await question();
    clock.advance(underWayMs);
    return answer;
  }
  return {
    find: (name) => far(() => records.find(name)),
    list: (prefix) => far(() => records.list(prefix)),
    insert: (record) => far(() => records.insert(record)),
    replace: (present, record) => far(() => records.replace(present, record)),
    beat: (held, time) => far(() => records.beat(held, time)),
    vacate: (name, owner, token) => far(() => records.vacate(name, owner, token)),
    close: () => records.close(),
  };
}

describe('leases in records that are far away', () => {
  let leases: MemoryLeases;
  let clock: VirtualClock;
  let store: LeaseStore;
  beforeEach(() => {
    underWayMs = 100;
    leases = new Map();
    clock = virtualClock(0);
    store = leaseStore(farAway(leases, clock), clock);
  });

  test('a lease that is had, of nobody or of one who let it go, counts from before it was written', async () => {
    const first = (await store.acquire('lease', 'one', ttl))!;
    expect(first.heldUntil).toBe(clock.now() - 2 * underWayMs + ttl);
    await store.release(first);
    const second = (await store.acquire('lease', 'one', ttl))!;
    expect(second.heldUntil).toBe(clock.now() - 2 * underWayMs + ttl);
  });

  test('one that is renewed counts from before that was asked for', async () => {
    const held = (await store.acquire('lease', 'one', ttl))!;
    const asked = clock.now();
    expect(await store.renew([held], ttl)).toEqual([{ ...held, heldUntil: asked + ttl }]);
    expect(clock.now()).toBe(asked + 2 * underWayMs);
  });

  test.each([
    ['who wants it', () => store.acquire('lease', 'other', ttl).then((had) => had === undefined)],
    ['who lists those that are held', () => store.held('lease').then((held) => held.length === 1)],
  ])('%s counts from after it saw how the lease stands', async (_, isHeld) => {
    await leaseStore(memoryLeaseRecords(leases), clock).acquire('lease', 'one', ttl);
    expect(await isHeld()).toBe(true);
    // The next answers are quick.
    underWayMs = 0;
    clock.advance(ttl - 1);
    expect(await isHeld()).toBe(true);
    clock.advance(1);
    expect(await isHeld()).toBe(false);
  });
});
