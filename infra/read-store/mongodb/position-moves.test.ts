import { expect, test } from '@jest/globals';
import type { LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { at } from '@waybill/shared-kernel/testing/at.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { PositionMoves } from './position-moves.js';

/** What was written together; each waits until the test lets it go. */
class Writing {
  readonly groups: Record<string, number>[] = [];
  readonly ends: ((error?: Error) => void)[] = [];

  readonly write = (positions: ReadonlyMap<string, LogPosition>): Promise<void> => {
    this.groups.push(Object.fromEntries(Array.from(positions, ([id, { through }]) => [id, through])));
    return new Promise((resolve, reject) => {
      this.ends.push((error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  };
}

test('moves that come while others are written are written together afterwards, of each the furthest', async () => {
  const writing = new Writing();
  const moves = new PositionMoves(writing.write);
  const first = [moves.move('a', at(1), true), moves.move('b', at(2), true)];
  await until(() => writing.groups.length === 1);
  const later = [moves.move('a', at(5), true), moves.move('c', at(3), false), moves.move('a', at(4), true)];
  writing.ends[0]!();
  await Promise.all(first);
  await until(() => writing.groups.length === 2);
  writing.ends[1]!();
  await Promise.all(later);
  expect(writing.groups).toEqual([
    { a: 1, b: 2 },
    { a: 5, c: 3 },
  ]);
});

test('one that is not urgent goes with the next that is', async () => {
  const writing = new Writing();
  const moves = new PositionMoves(writing.write);
  const both = [moves.move('a', at(1), false), moves.move('b', at(2), true)];
  await until(() => writing.groups.length === 1);
  writing.ends[0]!();
  await Promise.all(both);
  expect(writing.groups).toEqual([{ a: 1, b: 2 }]);
});

test('one that is not urgent goes alone when no other comes', async () => {
  const moved: string[] = [];
  const moves = new PositionMoves(async (positions) => void moved.push(...positions.keys()));
  await moves.move('a', at(1), false);
  await moves.move('b', at(2), false);
  expect(moved).toEqual(['a', 'b']);
});

test('a failure is told to those whose moves were written, and the next are tried', async () => {
  const writing = new Writing();
  const moves = new PositionMoves(writing.write);
  const lost = expect(moves.move('a', at(1), true)).rejects.toThrow('gone');
  await until(() => writing.groups.length === 1);
  const next = moves.move('a', at(1), true);
  writing.ends[0]!(new Error('gone'));
  await lost;
  await until(() => writing.groups.length === 2);
  writing.ends[1]!();
  await next;
});
