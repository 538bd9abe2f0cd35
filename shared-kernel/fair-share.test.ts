import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shareOf, type Division } from './fair-share.js';

const anyDivision = fc
  .record({
    members: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'), { minLength: 1 }),
    partitions: fc.integer({ min: 1, max: 12 }),
    // Some are held by who is gone.
    holders: fc.array(fc.constantFrom(undefined, 'a', 'b', 'c', 'd', 'e', 'gone'), { maxLength: 12 }),
  })
  .map(({ members, partitions, holders }): Division => {
    const held = holders.slice(0, partitions).flatMap((holder, partition) => {
      return holder === undefined ? [] : [[partition, holder] as const];
    });
    return { members, partitions, holders: new Map(held) };
  });

/** All who are there do what is their share, at once. */
function afterAll({ members, partitions, holders }: Division): Division {
  const next = new Map(holders);
  for (const member of members) {
    const { giveUp, take } = shareOf(member, { members, partitions, holders });
    for (const partition of giveUp) {
      expect(holders.get(partition)).toBe(member);
      next.delete(partition);
    }
    for (const partition of take) {
      expect(next.has(partition)).toBe(false);
      next.set(partition, member);
    }
  }
  return { members, partitions, holders: next };
}

function evened(division: Division): Division {
  const present = [...division.holders].filter(([, holder]) => division.members.includes(holder));
  return afterAll(afterAll({ ...division, holders: new Map(present) }));
}

const isSilent = (division: Division): boolean =>
  division.members.every((member) => {
    const { giveUp, take } = shareOf(member, division);
    return giveUp.length === 0 && take.length === 0;
  });

describe('a fair share', () => {
  test('who sees the same does not take the same, nor what somebody has', () => {
    fc.assert(
      fc.property(anyDivision, (division) => {
        const all = division.members.flatMap((member) => shareOf(member, division).take);
        expect(new Set(all).size).toBe(all.length);
        for (const partition of all) {
          expect(division.holders.has(partition)).toBe(false);
          expect(partition).toBeLessThan(division.partitions);
        }
      }),
    );
  });

  test('once those who have too much gave it up, all is held and numbers differ by one at most', () => {
    fc.assert(
      fc.property(anyDivision, (division) => {
        const { members, partitions, holders } = evened(division);
        expect([...holders.keys()].sort((left, right) => left - right)).toEqual([...Array(partitions).keys()]);
        const counts = members.map((member) => [...holders.values()].filter((holder) => holder === member).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('what is even stays as it is', () => {
    fc.assert(fc.property(anyDivision, (division) => expect(isSilent(evened(division))).toBe(true)));
  });

  test('when one of an even division leaves, nobody else gives anything up', () => {
    fc.assert(
      fc.property(anyDivision, fc.nat(), (division, which) => {
        const even = evened(division);
        const gone = even.members[which % even.members.length]!;
        const members = even.members.filter((member) => member !== gone);
        const holders = new Map([...even.holders].filter(([, holder]) => holder !== gone));
        for (const member of members) expect(shareOf(member, { ...even, members, holders }).giveUp).toEqual([]);
      }),
    );
  });

  test('when one joins an even division, no more moves than it is to have', () => {
    fc.assert(
      fc.property(anyDivision, fc.nat(), (division, place) => {
        const even = evened(division);
        const seat = place % (even.members.length + 1);
        const members = [...even.members.slice(0, seat), 'newcomer', ...even.members.slice(seat)];
        const joined = { ...even, members };
        const moved = members.flatMap((member) => shareOf(member, joined).giveUp);
        expect(moved.length).toBe(Math.floor(even.partitions / members.length));
      }),
    );
  });

  test('a newcomer does not depose who leads', () => {
    const led: Division = { members: ['newcomer', 'leader'], partitions: 1, holders: new Map([[0, 'leader']]) };
    expect(isSilent(led)).toBe(true);
  });

  test('who is not there takes nothing and gives nothing up', () => {
    const division = { members: ['a'], partitions: 2, holders: new Map([[0, 'b']]) };
    expect(shareOf('b', division)).toEqual({ giveUp: [], take: [] });
  });
});
