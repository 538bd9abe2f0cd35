import { beforeEach, describe, expect, test } from '@jest/globals';
import { LeaseKeeper } from '@waybill/shared-kernel/partitions/keep-leases.js';
import type { HeldLease, LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { virtualClock, type VirtualClock } from '../clock/seeded.js';
import { openMemoryLeaseStore } from './memory/lease-store.js';

const ttl = 1_000;

describe('leases that are kept', () => {
  let clock: VirtualClock;
  let timer: ReturnType<typeof manualTimer>;
  let store: LeaseStore;
  let lost: string[];
  beforeEach(() => {
    clock = virtualClock(0);
    timer = manualTimer();
    store = openMemoryLeaseStore(new Map(), clock);
    lost = [];
  });

  /** Time passes, and whoever has slept long enough by then is awake. */
  async function pass(milliseconds: number): Promise<void> {
    clock.advance(milliseconds);
    timer.elapse();
    await turns(5);
  }

  function keep(keeper: LeaseKeeper, lease: HeldLease) {
    return keeper.keep(lease, () => lost.push(lease.name));
  }

  const take = async (name: string): Promise<HeldLease> => (await store.acquire(name, 'one', ttl))!;

  test('stay while they are renewed', async () => {
    const keeper = new LeaseKeeper(ttl, { leases: store, clock, timer });
    const kept = keep(keeper, await take('a'));
    for (let quarter = 0; quarter < 12; quarter += 1) await pass(ttl / 4);
    expect(lost).toEqual([]);
    await kept.release();
    expect(await store.held('a')).toEqual([]);
  });

  test('are lost by whoever sleeps too long, and not asked for again, though nobody else has taken them', async () => {
    const asked: string[] = [];
    const leases: LeaseStore = {
      ...store,
      renew: (held, time) => {
        asked.push(...held.map(({ name }) => name));
        return store.renew(held, time);
      },
    };
    const keeper = new LeaseKeeper(ttl, { leases, clock, timer });
    keep(keeper, await take('a'));
    await turns(5);
    await pass((3 * ttl) / 4);
    expect([lost, asked]).toEqual([['a'], []]);
  });

  test('of which one is another’s leave the rest', async () => {
    const keeper = new LeaseKeeper(ttl, { leases: store, clock, timer });
    const [a, b] = [await take('a'), await take('b')];
    keep(keeper, a);
    const kept = keep(keeper, b);
    await store.release(a);
    await turns(5);
    await pass(ttl / 4);
    expect(lost).toEqual(['a']);
    await kept.release();
  });

  test('are told lost once, and never after they were given back, though the answer says so later', async () => {
    let answer!: (renewed: readonly HeldLease[]) => void;
    const leases: LeaseStore = {
      ...store,
      renew: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    };
    const keeper = new LeaseKeeper(ttl, { leases, clock, timer });
    const kept = keep(keeper, await take('a'));
    await turns(5);
    await pass(ttl / 4);
    await kept.release();
    answer([]);
    await turns(5);
    expect(lost).toEqual([]);
  });
});
