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
    return { members, partitions, holders: new Map(held), abstainers: new Map() };
  });

const anyAbstaining = fc
  .tuple(
    anyDivision,
    fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'gone'), { maxLength: 5 }), { maxLength: 12 }),
  )
  .map(([division, abstaining]): Division => {
    return { ...division, abstainers: new Map(abstaining.map((members, partition) => [partition, new Set(members)])) };
  });

/** Who may have a partition: all, where all abstain from it. */
function ableTo({ members, abstainers }: Division, partition: number): readonly string[] {
  const able = members.filter((member) => !abstainers.get(partition)?.has(member));
  return able.length > 0 ? able : members;
}

/** All who are there do what is their share, at once. */
function afterAll(division: Division): Division {
  const { members, holders } = division;
  const next = new Map(holders);
  for (const member of members) {
    const { giveUp, take } = shareOf(member, division);
    for (const partition of giveUp) {
      expect(holders.get(partition)).toBe(member);
      next.delete(partition);
    }
    for (const partition of take) {
      expect(next.has(partition)).toBe(false);
      next.set(partition, member);
    }
  }
  return { ...division, holders: next };
}

function abstains({ abstainers }: Division, member: string): boolean {
  return [...abstainers.values()].some((some) => some.has(member));
}

function evened(division: Division): Division {
  const present = [...division.holders].filter(([, holder]) => division.members.includes(holder));
  return afterAll(afterAll({ ...division, holders: new Map(present) }));
}

const countOf = ({ holders }: Division, member: string): number =>
  [...holders.values()].filter((holder) => holder === member).length;

const isSilent = (division: Division): boolean =>
  division.members.every((member) => {
    const { giveUp, take } = shareOf(member, division);
    return giveUp.length === 0 && take.length === 0;
  });

describe('a fair share', () => {
  test('who sees the same does not take the same, nor what somebody has', () => {
    fc.assert(
      fc.property(anyAbstaining, (division) => {
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
        const even = evened(division);
        expect([...even.holders.keys()].sort((left, right) => left - right)).toEqual([
          ...Array(division.partitions).keys(),
        ]);
        const counts = even.members.map((member) => countOf(even, member));
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('where some abstain, all is held by who does not, and those who abstain from nothing have as many as any', () => {
    fc.assert(
      fc.property(anyAbstaining, (division) => {
        const even = evened(division);
        expect(isSilent(even)).toBe(true);
        expect(even.holders.size).toBe(division.partitions);
        for (const [partition, holder] of even.holders) expect(ableTo(division, partition)).toContain(holder);
        const most = Math.max(...division.members.map((member) => countOf(even, member)));
        for (const member of division.members.filter((each) => !abstains(division, each))) {
          expect(countOf(even, member)).toBeGreaterThanOrEqual(most - 1);
        }
      }),
    );
  });

  test('what is even stays as it is', () => {
    fc.assert(fc.property(anyDivision, (division) => expect(isSilent(evened(division))).toBe(true)));
  });

  test('who abstains is given no more, while somebody abstains from nothing', () => {
    fc.assert(
      fc.property(anyAbstaining, (division) => {
        const [some, others] = [true, false].map((which) =>
          division.members.filter((member) => abstains(division, member) === which),
        );
        fc.pre(others!.length > 0);
        for (const member of some!) expect(shareOf(member, division).take).toEqual([]);
      }),
    );
  });

  test('who abstains from what it has gives it up only where another can take it', () => {
    const led: Division = {
      members: ['leader', 'standby'],
      partitions: 1,
      holders: new Map([[0, 'leader']]),
      abstainers: new Map([[0, new Set(['leader'])]]),
    };
    expect(shareOf('leader', led).giveUp).toEqual([0]);
    expect(shareOf('standby', { ...led, holders: new Map() }).take).toEqual([0]);
    expect(isSilent({ ...led, members: ['leader'] })).toBe(true);
    expect(isSilent({ ...led, abstainers: new Map([[0, new Set(['leader', 'standby'])]]) })).toBe(true);
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
    const led: Division = {
      members: ['newcomer', 'leader'],
      partitions: 1,
      holders: new Map([[0, 'leader']]),
      abstainers: new Map(),
    };
    expect(isSilent(led)).toBe(true);
  });

  test('who is not there takes nothing and gives nothing up', () => {
    const division: Division = { members: ['a'], partitions: 2, holders: new Map([[0, 'b']]), abstainers: new Map() };
    expect(shareOf('b', division)).toEqual({ giveUp: [], take: [] });
  });
});
