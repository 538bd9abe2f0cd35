import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { Overloaded } from '@waybill/shared-kernel/errors.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { admissionTuning, OrderAdmission, type Admitted } from './admission.js';

const { burst, burstMs, lookEveryMs, quietMs, stallMs } = admissionTuning;

interface Taken {
  readonly caller: string;
  readonly orderId: string;
  readonly atMs: number;
}

/** Orders that arrive, and a process manager that handles so many a second, in the order of the log. */
class Path {
  readonly clock = virtualClock('2026-01-01T00:00:00Z');
  /** Orders it handles a second. */
  capacity: number;
  /** Milliseconds for which what is handled is not said yet. */
  saysAfterMs = 250;
  isKnown = true;
  /** Milliseconds from when an order is admitted until it is in the log. */
  placedAfterMs = 0;
  readonly taken: Taken[] = [];
  readonly handledAtMs: number[] = [];
  readonly refused = new Map<string, number>();
  readonly retryAfter: number[] = [];
  looks = 0;
  readonly #admission: OrderAdmission;
  readonly #said: { readonly atMs: number; readonly through: number }[] = [];
  readonly #placing: (Taken & { readonly admitted: Admitted })[] = [];
  #count = 0;
  #work = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#admission = new OrderAdmission({
      steadyClock: this.clock,
      handledThrough: async () => {
        this.looks += 1;
        if (!this.isKnown) throw new Error('the read store is down');
        return this.through();
      },
    });
  }

  /** Of each partition. Another order of the same partition stands between, or none: all is handled in order. */
  through(): number[] {
    const now = this.clock.now();
    const last = this.#said.findLast(({ atMs }) => atMs <= now - this.saysAfterMs);
    return Array.from({ length: partitionCount }, () => last?.through ?? -1);
  }

  get waiting(): number {
    return this.taken.length - this.handledAtMs.length;
  }

  /** Whether it is taken. */
  place(caller: string): boolean {
    const orderId = `order-${this.#count}`;
    this.#count += 1;
    const admitted = this.admit(caller, orderId);
    if (admitted === undefined) return false;
    const atMs = this.clock.now() + this.placedAfterMs;
    this.#placing.push({ caller, orderId, atMs, admitted });
    if (this.placedAfterMs === 0) this.#append();
    return true;
  }

  #append(): void {
    while ((this.#placing[0]?.atMs ?? Infinity) <= this.clock.now()) {
      const { admitted, ...order } = this.#placing.shift()!;
      admitted.placed(this.taken.length);
      this.taken.push(order);
    }
  }

  /** `undefined`: it is refused. */
  admit(caller: string, orderId: string): Admitted | undefined {
    try {
      return this.#admission.admit(caller, orderId);
    } catch (error) {
      if (!(error instanceof Overloaded)) throw error;
      this.retryAfter.push(error.retryAfterSeconds);
      this.refused.set(caller, (this.refused.get(caller) ?? 0) + 1);
      return undefined;
    }
  }

  /** So many orders of a caller come at one moment, and none is placed yet. Those that are admitted. */
  admitAtOnce(caller: string, count: number): readonly Admitted[] {
    const orders = Array.from({ length: count }, (_, n) => this.admit(caller, `${caller}-${n}`));
    return orders.filter((admitted) => admitted !== undefined);
  }

  /** Ten milliseconds pass, in which callers place so many orders each. */
  async tick(offered: Readonly<Record<string, number>> = {}): Promise<void> {
    this.clock.advance(10);
    this.#append();
    for (const [caller, count] of Object.entries(offered)) {
      for (let i = 0; i < count; i += 1) this.place(caller);
    }
    this.#work = this.waiting === 0 ? 0 : this.#work + this.capacity / 100;
    while (this.#work >= 1 && this.waiting > 0) {
      this.#work -= 1;
      this.handledAtMs.push(this.clock.now());
    }
    this.#said.push({ atMs: this.clock.now(), through: this.handledAtMs.length - 1 });
    // A look is over within a turn.
    await Promise.resolve();
    await Promise.resolve();
  }

  async run(seconds: number, offered?: Readonly<Record<string, number>>): Promise<void> {
    for (let i = 0; i < seconds * 100; i += 1) await this.tick(offered);
  }

  takenOf(caller: string): number {
    return this.taken.filter((order) => order.caller === caller).length;
  }
}

describe('what is taken is carried out', () => {
  test('under any offered load the last order is handled soon after the run, and the process manager never idles', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 200, max: 2_000 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 500 }),
        async (capacity, each, saysAfterMs) => {
          const path = new Path(capacity);
          path.saysAfterMs = saysAfterMs;
          await path.run(20, { shop: each });
          expect(path.waiting / capacity).toBeLessThanOrEqual(2);
          const offered = each * 100;
          expect(path.taken.length).toBeGreaterThanOrEqual(0.95 * Math.min(capacity, offered) * 20 - 1);
        },
      ),
      { numRuns: runs(5, 100) },
    );
  });

  test('nothing is refused while it is carried as it comes', async () => {
    const path = new Path(600);
    await path.run(60, { shop: 5 });
    expect(path.refused.size).toBe(0);
  });

  test('a burst after a quiet time is taken whole, again and again', async () => {
    const path = new Path(600);
    for (let i = 0; i < 3; i += 1) {
      await path.run(1.25, { shop: 16 });
      expect(path.refused.size).toBe(0);
      await path.run(10 + quietMs / 1_000);
    }
    expect(path.taken).toHaveLength(6_000);
  });

  test('who comes again when told to is not taken for quiet: there is no new burst while the old one waits', async () => {
    const path = new Path(60);
    const seconds = 6.5;
    for (let time = 0; time < 20; time += 1) {
      await path.run(1, { shop: 20 });
      await path.run(seconds - 1);
    }
    // The first burst, and what is carried.
    expect(path.taken.length).toBeLessThan(burst + 1.25 * 60 * 20 * seconds);
  });

  test('a burst is no longer than it may be', async () => {
    const path = new Path(600);
    await path.run(burst / 1_600 + 0.5, { shop: 16 });
    expect(path.refused.get('shop')).toBeGreaterThan(0);
    const long = new Path(200);
    await long.run(burstMs / 1_000 + 2, { shop: 3 });
    expect(long.taken.length).toBeLessThan(burst);
    expect(long.refused.get('shop')).toBeGreaterThan(0);
    const slow = new Path(20);
    await slow.run(2, { shop: 10 });
    expect(slow.refused.get('shop')).toBeGreaterThan(0);
  });

  test('who is refused hears in how many seconds there is room', async () => {
    const path = new Path(100);
    await path.run(10, { shop: 20 });
    expect(Math.min(...path.retryAfter)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...path.retryAfter)).toBeLessThanOrEqual(10);
    expect(path.retryAfter.every(Number.isInteger)).toBe(true);
    expect(Math.max(...path.retryAfter)).toBeGreaterThan(1);
  });
});

describe('many at one moment', () => {
  test('those that are being placed count: no more are admitted than a burst has', async () => {
    const path = new Path(600);
    await path.run(1, { shop: 1 });
    expect(path.admitAtOnce('shop', burst + 500).length).toBeLessThanOrEqual(burst);
  });

  test('what is refused or fails gives its place back', async () => {
    const path = new Path(600);
    await path.run(1, { shop: 1 });
    for (let round = 0; round < 10; round += 1) {
      const admitted = path.admitAtOnce('shop', 1_000);
      expect(admitted).toHaveLength(1_000);
      for (const { release } of admitted) release();
    }
    expect(path.refused.size).toBe(0);
  });

  test('what comes to nothing, however much of it and for how long, takes nobody’s burst', async () => {
    const path = new Path(600);
    for (let round = 0; round < 20; round += 1) {
      const admitted = path.admitAtOnce('nobody', 150);
      await path.run(1, { nobody: 1 });
      for (const { release } of admitted) release();
    }
    path.refused.clear();
    await path.run(burst / 1_600, { shop: 16 });
    expect(path.refused.get('shop')).toBeUndefined();
  });

  test('a place is given back once, and not once its order waits', async () => {
    const path = new Path(600);
    await path.run(1, { shop: 1 });
    const [one] = path.admitAtOnce('shop', 1);
    one!.release();
    one!.release();
    one!.placed(0);
    const placed = path.admitAtOnce('shop', burst);
    for (const { placed: place, release } of placed) {
      place(Infinity);
      release();
    }
    expect(placed.length + path.admitAtOnce('shop', burst).length).toBeLessThanOrEqual(burst);
  });

  test('where nothing is handled for long those that are being placed do not count either', async () => {
    const path = new Path(0);
    await path.run(stallMs / 1_000 + 6, { shop: 20 });
    path.refused.clear();
    expect(path.admitAtOnce('shop', 2 * burst)).toHaveLength(2 * burst);
  });

  test('a slow append is no queue: it belongs to the time that an order takes', async () => {
    const path = new Path(600);
    path.placedAfterMs = 1_000;
    await path.run(5, { shop: 5 });
    path.refused.clear();
    await path.run(15, { shop: 5 });
    expect(path.refused.size).toBe(0);
  });
});

describe('fairly by caller', () => {
  test('one who asks for little is taken, however much another asks for', async () => {
    const path = new Path(600);
    for (let i = 0; i < 2_000; i += 1) await path.tick({ flood: 30, ...(i % 50 === 0 ? { ann: 1 } : {}) });
    expect(path.refused.get('ann')).toBeUndefined();
    expect(path.takenOf('ann')).toBe(40);
  });

  test('two who both ask for more than there is have as much of it each', async () => {
    const path = new Path(600);
    await path.run(8, { greedy: 30, modest: 10 });
    const before = [path.takenOf('greedy'), path.takenOf('modest')] as const;
    await path.run(20, { greedy: 30, modest: 10 });
    const [greedy, modest] = [path.takenOf('greedy') - before[0], path.takenOf('modest') - before[1]];
    expect(modest / greedy).toBeGreaterThan(0.7);
    expect(modest / greedy).toBeLessThan(1.4);
  });

  test('many who place one order each are no way around it', async () => {
    const path = new Path(600);
    for (let i = 0; i < 2_000; i += 1) {
      await path.tick(Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`customer-${i}-${n}`, 1])));
    }
    expect(path.waiting / 600).toBeLessThanOrEqual(2);
  });
});

describe('late is never refused', () => {
  test('where it is not known how far it has come, all are taken', async () => {
    const path = new Path(10);
    path.isKnown = false;
    await path.run(20, { shop: 20 });
    expect(path.refused.size).toBe(0);
  });

  test('of what is not known nothing is kept', async () => {
    const path = new Path(0);
    await path.run(0.1, { shop: 1 });
    path.isKnown = false;
    await path.run(5, { shop: 10 });
    await path.run(6);
    path.isKnown = true;
    path.refused.clear();
    await path.run(1, { shop: 1 });
    expect(path.refused.size).toBe(0);
  });

  test('where that is not known any more, all are taken again', async () => {
    const path = new Path(100);
    await path.run(10, { shop: 20 });
    expect(path.refused.size).toBe(1);
    path.isKnown = false;
    await path.run(3, { shop: 20 });
    path.refused.clear();
    await path.run(10, { shop: 20 });
    expect(path.refused.size).toBe(0);
  });

  test('where it stands still, all are taken after a while, until it moves', async () => {
    const path = new Path(0);
    await path.run(stallMs / 1_000 + 6, { shop: 20 });
    path.refused.clear();
    await path.run(30, { shop: 20 });
    expect(path.refused.size).toBe(0);
    path.capacity = 100;
    await path.run(30, { shop: 20 });
    expect(path.refused.get('shop')).toBeGreaterThan(0);
  });

  test('one partition that stands still does not hold up orders', async () => {
    const clock = virtualClock(0);
    const through = Array.from({ length: partitionCount }, () => -1);
    const admission = new OrderAdmission({ steadyClock: clock, handledThrough: async () => [...through] });
    const stuck = partitionOf('order-0');
    let refused = 0;
    for (let i = 0; i < 12_000; i += 1) {
      clock.advance(5);
      try {
        admission.admit('shop', `order-${i}`).placed(i);
      } catch {
        if (i > 6_000) refused += 1;
      }
      for (let p = 0; p < partitionCount; p += 1) if (p !== stuck) through[p] = i - 20;
      await Promise.resolve();
      await Promise.resolve();
    }
    expect(refused).toBe(0);
  });
});

test('looks now and then, and only while orders come', async () => {
  const path = new Path(600);
  await path.run(10, { shop: 1 });
  const { looks } = path;
  expect(looks).toBeLessThanOrEqual(10_000 / lookEveryMs);
  expect(looks).toBeGreaterThan(20);
  await path.run(10);
  expect(path.looks).toBe(looks);
});
