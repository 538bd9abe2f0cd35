import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import type {
  CollectionVersions,
  RebuildKind,
  RebuildOutcome,
  RebuildResult,
} from '@waybill/shared-kernel/ports/collection-versions.js';
import { orders } from '../read-models/orders.js';
import { none } from './found-differences.js';
import {
  advanced,
  begun,
  claimed,
  ended,
  followedVersions,
  forgotten,
  knownVersions,
  released,
  requested,
  unfollowedVersions,
} from './versions.js';

const shape = { ...orders.collection, version: 1 };
const progress = { position: 1, head: 2, rate: 3 };

function first(): CollectionVersions {
  return begun(undefined, shape)!;
}

function outcome(id: string, kind: RebuildKind, version: number, result: RebuildResult = 'switched'): RebuildOutcome {
  return { id, kind, version, result, endedAt: 'now', documents: 0, differences: none, mended: none };
}

/** A whole rebuild. */
function done(versions: CollectionVersions, kind: RebuildKind, result: RebuildResult = 'switched'): CollectionVersions {
  const under = requested(versions, shape, kind, 'id');
  const { version } = knownVersions(under, shape).rebuild!;
  return ended(under, shape, outcome('id', kind, version, result))!;
}

describe('the versions of a read model', () => {
  test('begin with the one of its shape', () => {
    expect(first()).toEqual({ revision: 1, newest: 1, shapes: { 1: { live: 1, obsolete: [] } } });
    expect(begun(first(), shape)).toBeUndefined();
  });

  test('of another shape are its own, and no number is given twice', () => {
    const rebuilt = done(done(first(), 'rebuild'), 'rebuild');
    const next = begun(rebuilt, { ...shape, version: 2 })!;
    expect(next.newest).toBe(4);
    expect(knownVersions(next, { ...shape, version: 2 })).toEqual({ live: 4, obsolete: [] });
    expect(knownVersions(next, shape)).toEqual(knownVersions(rebuilt, shape));
    expect(knownVersions(requested(next, shape, 'rebuild', 'id'), shape).rebuild).toMatchObject({ version: 5 });
    expect(knownVersions(begun(rebuilt, { ...shape, version: 9 }), { ...shape, version: 9 }).live).toBe(9);
  });

  test('are followed where they are read, and where one is being made once it was replayed', () => {
    const requestedOne = requested(first(), shape, 'rebuild', 'id');
    expect(followedVersions(knownVersions(requestedOne, shape))).toEqual([1]);
    const claimedOne = claimed(requestedOne, shape, knownVersions(requestedOne, shape).rebuild!, 'me')!;
    const following = advanced(claimedOne, shape, 'me', 'following', progress)!;
    expect(followedVersions(knownVersions(following, shape))).toEqual([1, 2]);
    expect(unfollowedVersions(knownVersions(following, shape))).toEqual([]);
    const switched = ended(following, shape, outcome('id', 'rebuild', 2))!;
    expect(followedVersions(knownVersions(switched, shape))).toEqual([2]);
    expect(unfollowedVersions(knownVersions(switched, shape))).toEqual([1]);
    const back = requested(switched, shape, 'rollback', 'id2');
    expect(unfollowedVersions(knownVersions(back, shape))).toEqual([1]);
    const drawingLevel = advanced(
      claimed(back, shape, knownVersions(back, shape).rebuild!, 'me')!,
      shape,
      'me',
      'following',
      progress,
    )!;
    expect(followedVersions(knownVersions(drawingLevel, shape))).toEqual([2, 1]);
    expect(unfollowedVersions(knownVersions(drawingLevel, shape))).toEqual([]);
  });

  test.each<[RebuildKind, RebuildResult, object]>([
    ['rebuild', 'switched', { live: 3, previous: 2, obsolete: [1] }],
    ['rebuild', 'differs', { live: 2, previous: 1, obsolete: [3] }],
    ['rebuild', 'failed', { live: 2, previous: 1, obsolete: [3] }],
    ['rollback', 'switched', { live: 1, previous: 2, obsolete: [] }],
    ['rollback', 'differs', { live: 2, previous: 1, obsolete: [] }],
    ['rollback', 'failed', { live: 2, previous: 1, obsolete: [] }],
  ])('after a %s that %s', (kind, result, expected) => {
    const { last, ...after } = knownVersions(done(done(first(), 'rebuild'), kind, result), shape);
    expect(after).toEqual(expected);
    expect(last?.result).toBe(result);
  });

  test('take one request at a time, and go back only to what was there', () => {
    expect(() => requested(first(), shape, 'rollback', 'id')).toThrow(
      new InvalidInput([], 'There is no version of orders before version 1 to go back to: it was never rebuilt.'),
    );
    const under = requested(first(), shape, 'rebuild', 'id');
    for (const kind of ['rebuild', 'rollback'] as const) {
      expect(() => requested(under, shape, kind, 'other')).toThrow('A rebuild of orders is under way, to version 2.');
    }
    const back = requested(done(first(), 'rebuild'), shape, 'rollback', 'id');
    expect(() => requested(back, shape, 'rebuild', 'id')).toThrow('A roll-back of orders is under way, to version 1.');
  });

  test('have one builder, who can be replaced only by who saw what is', () => {
    const under = requested(first(), shape, 'rebuild', 'id');
    const seen = knownVersions(under, shape).rebuild!;
    const mine = claimed(under, shape, seen, 'me')!;
    expect(claimed(mine, shape, seen, 'you')).toBeUndefined();
    expect(advanced(mine, shape, 'you', 'comparing', progress)).toBeUndefined();
    expect(released(mine, shape, 'you')).toBeUndefined();
    const stood = knownVersions(mine, shape).rebuild!;
    const went = advanced(mine, shape, 'me', 'comparing', progress)!;
    expect(claimed(went, shape, stood, 'you')).toBeUndefined();
    const yours = claimed(went, shape, knownVersions(went, shape).rebuild!, 'you')!;
    expect(knownVersions(yours, shape).rebuild).toMatchObject({ step: 'comparing', builder: { id: 'you', beat: 0 } });
    expect(advanced(yours, shape, 'me', 'comparing', progress)).toBeUndefined();
    expect(knownVersions(released(yours, shape, 'you'), shape).rebuild).not.toHaveProperty('builder');
  });

  test('are changed by no word on a rebuild that is over', () => {
    const over = done(first(), 'rebuild');
    expect(ended(over, shape, outcome('id', 'rebuild', 2))).toBeUndefined();
    expect(
      claimed(over, shape, knownVersions(requested(first(), shape, 'rebuild', 'id'), shape).rebuild!, 'me'),
    ).toBeUndefined();
    expect(forgotten(over, shape, 2)).toBeUndefined();
  });

  test('whatever is asked and however it ends, are distinct, read on, and rise by one write at a time', () => {
    const steps = fc.array(
      fc.tuple(
        fc.constantFrom<RebuildKind>('rebuild', 'rollback'),
        fc.constantFrom<RebuildResult>('switched', 'differs', 'failed'),
      ),
    );
    fc.assert(
      fc.property(steps, (asked) => {
        let versions = first();
        const dropped = new Set<number>();
        for (const [kind, result] of asked) {
          const before = knownVersions(versions, shape);
          if (kind === 'rollback' && before.previous === undefined) continue;
          const next = done(versions, kind, result);
          expect(next.revision).toBe(versions.revision + 2);
          const after = knownVersions(next, shape);
          expect(after.live === before.live).toBe(result !== 'switched');
          const there = [after.live, ...(after.previous === undefined ? [] : [after.previous]), ...after.obsolete];
          expect(new Set(there).size).toBe(there.length);
          for (const version of there) {
            expect(version).toBeLessThanOrEqual(next.newest);
            expect(dropped.has(version)).toBe(false);
          }
          versions = next;
          const [gone] = after.obsolete;
          if (gone === undefined) continue;
          versions = forgotten(versions, shape, gone)!;
          dropped.add(gone);
        }
      }),
    );
  });
});
