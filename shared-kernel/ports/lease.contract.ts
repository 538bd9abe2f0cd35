import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { runs } from '../testing/length.js';
import type { HeldLease, Lease, LeaseStore } from './lease.js';

/** A process of its own over the same leases, with a clock of its own that a test moves, from a time of its own. */
export interface LeaseHolder {
  readonly store: LeaseStore;
  /** Milliseconds. */
  now(): number;
  advance(milliseconds: number): void;
}

export interface LeaseStoreUnderTest {
  open(): Promise<LeaseHolder>;
}

const ttl = 1000;

/** What every lease store promises. Names are fresh in each test; a store need not be empty. */
export function leaseContract(name: string, underTest: LeaseStoreUnderTest): void {
  describe(`lease store: ${name}`, () => {
    const opened: LeaseHolder[] = [];
    let one: LeaseHolder;
    let other: LeaseHolder;
    let lease = '';

    async function open(): Promise<LeaseHolder> {
      const holder = await underTest.open();
      opened.push(holder);
      return holder;
    }

    beforeEach(async () => {
      one = await open();
      other = await open();
      lease = `lease-${randomUUID()}`;
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map(({ store }) => store.close()));
    });

    const renew = async (holder: LeaseHolder, held: Lease, time = ttl): Promise<HeldLease | undefined> => {
      const [renewed] = await holder.store.renew([held], time);
      return renewed;
    };

    const take = (holder: LeaseHolder, owner: string): Promise<HeldLease | undefined> =>
      holder.store.acquire(lease, owner, ttl);

    test('one that nobody holds is had at once, for as long as asked', async () => {
      const before = one.now();
      expect(await take(one, 'one')).toEqual({ name: lease, owner: 'one', token: 1, heldUntil: before + ttl });
    });

    test('one that is held is had by nobody else, nor twice by its owner', async () => {
      await take(one, 'one');
      expect(await take(other, 'other')).toBeUndefined();
      expect(await take(one, 'one')).toBeUndefined();
    });

    test('one whose holder is gone is had once it was watched for its time', async () => {
      await take(one, 'one');
      expect(await take(other, 'other')).toBeUndefined();
      other.advance(ttl - 1);
      expect(await take(other, 'other')).toBeUndefined();
      other.advance(1);
      expect(await take(other, 'other')).toMatchObject({ owner: 'other', token: 2 });
    });

    test('one that another took from who is gone is watched anew', async () => {
      const third = await open();
      await take(one, 'one');
      for (const watching of [other, third]) {
        expect(await take(watching, 'watching')).toBeUndefined();
        watching.advance(ttl);
      }
      // Never renewed either, so it stands as the one before stood.
      expect(await take(third, 'third')).toBeDefined();
      expect(await take(other, 'other')).toBeUndefined();
      expect(await other.store.held(lease)).toEqual([{ name: lease, owner: 'third', token: 2 }]);
      other.advance(ttl);
      expect(await take(other, 'other')).toMatchObject({ token: 3 });
    });

    test('one is not had by whose clock is ahead', async () => {
      other.advance(100 * ttl);
      await take(one, 'one');
      expect(await take(other, 'other')).toBeUndefined();
    });

    test('one that is renewed stays with its holder', async () => {
      const held = (await take(one, 'one'))!;
      for (let beat = 0; beat < 3; beat += 1) {
        await take(other, 'other');
        one.advance(ttl / 2);
        expect(await renew(one, held)).toEqual({ ...held, heldUntil: one.now() + ttl });
        other.advance(ttl);
        expect(await take(other, 'other')).toBeUndefined();
      }
    });

    test('one is renewed for the time it is renewed for', async () => {
      const held = (await take(one, 'one'))!;
      await renew(one, held, 3 * ttl);
      await take(other, 'other');
      other.advance(3 * ttl - 1);
      expect(await take(other, 'other')).toBeUndefined();
      other.advance(1);
      expect(await take(other, 'other')).toBeDefined();
    });

    test('one that another took is neither renewed nor released', async () => {
      const late = (await take(one, 'one'))!;
      await take(other, 'other');
      other.advance(ttl);
      const held = (await take(other, 'other'))!;
      expect(await renew(one, late)).toBeUndefined();
      await one.store.release(late);
      expect(await renew(other, held)).toBeDefined();
      expect(await take(one, 'one')).toBeUndefined();
    });

    test('many are renewed with one question, those that are still held', async () => {
      const names = ['a', 'b', 'c', 'd'].map((end) => `${lease}/${end}`);
      const [a, b, c, d] = await Promise.all(names.map(async (each) => (await one.store.acquire(each, 'one', ttl))!));
      await one.store.release(b!);
      await Promise.all(names.map((each) => other.store.acquire(each, 'other', ttl)));
      one.advance(ttl / 2);
      await one.store.renew([a!, d!], ttl);
      other.advance(ttl);
      const taken = await Promise.all(names.map((each) => other.store.acquire(each, 'other', ttl)));
      expect(taken.map((had) => had?.name.slice(-1))).toEqual([undefined, undefined, 'c', undefined]);
      one.advance(ttl / 4);
      const heldUntil = one.now() + ttl;
      expect(await one.store.renew([a!, b!, c!, d!], ttl)).toEqual([
        { ...a!, heldUntil },
        { ...d!, heldUntil },
      ]);
      expect(await one.store.renew([b!, c!], ttl)).toEqual([]);
      expect(await one.store.renew([], ttl)).toEqual([]);
    });

    test('one that was released is had at once and can no longer be renewed', async () => {
      const held = (await take(one, 'one'))!;
      await one.store.release(held);
      await one.store.release(held);
      expect(await renew(one, held)).toBeUndefined();
      expect(await take(other, 'other')).toMatchObject({ token: 2 });
      expect(await renew(one, held)).toBeUndefined();
    });

    test('a tenure is ended or renewed by itself, not by an earlier one of the same owner', async () => {
      const earlier = (await take(one, 'one'))!;
      await one.store.release(earlier);
      const held = (await take(one, 'one'))!;
      expect(held.token).toBe(2);
      await one.store.release(earlier);
      expect(await renew(one, earlier)).toBeUndefined();
      expect(await take(other, 'other')).toBeUndefined();
      expect(await renew(one, held)).toBeDefined();
    });

    test('one is renewed from when that is asked for, however late the answer is', async () => {
      const held = (await take(one, 'one'))!;
      const asked = one.now();
      const renewing = renew(one, held);
      one.advance(ttl / 2);
      expect(await renewing).toEqual({ ...held, heldUntil: asked + ttl });
    });

    test('of many who ask at once one gets it', async () => {
      const holders = [one, other, ...(await Promise.all(Array.from({ length: 4 }, open)))];
      const race = (round: string) => Promise.all(holders.map((holder, index) => take(holder, `${round}${index}`)));
      expect((await race('first')).filter((won) => won !== undefined)).toHaveLength(1);
      for (const holder of holders) holder.advance(ttl);
      // Those who lost may not have seen it yet, so not all of them know that it is over.
      await race('watching');
      for (const holder of holders) holder.advance(ttl);
      const before = await one.store.held(lease);
      for (const holder of holders) holder.advance(ttl);
      const winners = (await race('second')).filter((won) => won !== undefined);
      expect(winners.length).toBeLessThanOrEqual(1);
      const tokens = [...before, ...winners].map(({ token }) => token);
      expect(tokens).toEqual([...tokens].sort((left, right) => left - right));
    });

    test('those that are held are told by the beginnings of their names, in order', async () => {
      const names = ['b', 'a', 'c'].map((end) => `${lease}/${end}`);
      for (const each of names) await one.store.acquire(each, 'one', ttl);
      await one.store.acquire(`${lease}0`, 'one', ttl);
      const told = async (): Promise<string[]> =>
        (await other.store.held(`${lease}/`)).map((held) => held.name.slice(-1));
      expect(await told()).toEqual(['a', 'b', 'c']);
      const [gone, released, kept] = await Promise.all(
        ['a', 'b', 'c'].map(async (end) => (await one.store.held(`${lease}/${end}`))[0]!),
      );
      expect(gone).toEqual({ name: `${lease}/a`, owner: 'one', token: 1 });
      await one.store.release(released!);
      expect(await told()).toEqual(['a', 'c']);
      other.advance(ttl - 1);
      await renew(one, kept!);
      expect(await told()).toEqual(['a', 'c']);
      other.advance(1);
      expect(await told()).toEqual(['c']);
    });

    test('never has two holders, and tokens only rise, whatever happens in which order', async () => {
      const step = fc.record({
        who: fc.nat(2),
        what: fc.constantFrom('acquire', 'renew', 'release', 'wait', 'wait', 'wait'),
        time: fc.integer({ min: 1, max: ttl }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          const name = `lease-${randomUUID()}`;
          const holders = [one, other, opened[2] ?? (await open())];
          const held: (HeldLease | undefined)[] = [];
          let last = 0;
          for (const { who, what, time } of steps) {
            const holder = holders[who]!;
            const own = held[who];
            if (what === 'wait') for (const each of holders) each.advance(time);
            if (what === 'acquire') {
              const got = await holder.store.acquire(name, `owner-${who}`, ttl);
              if (got !== undefined) {
                expect(got.token).toBeGreaterThan(last);
                last = got.token;
                held[who] = got;
              }
            }
            if (what === 'renew' && own !== undefined) held[who] = await renew(holder, own);
            if (what === 'release' && own !== undefined) {
              await holder.store.release(own);
              held[who] = undefined;
            }
            const acting = holders.filter((each, index) => (held[index]?.heldUntil ?? 0) > each.now());
            expect(acting.length).toBeLessThanOrEqual(1);
          }
        }),
        { numRuns: runs(15, 100) },
      );
    });
  });
}
