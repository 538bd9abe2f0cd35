import { expect, test } from '@jest/globals';
import { Turns } from './turns.js';

test('so many work at a time, the others in the order in which they came, whatever becomes of those before them', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const results = Array.from({ length: 5 }, (_, number) =>
    turns.take(async () => {
      begun.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (number === 0) throw new Error('refused');
      return number;
    }),
  );
  const settled = Promise.allSettled(results);
  expect(begun).toEqual([0, 1]);
  ends[1]!();
  expect(await results[1]).toBe(1);
  ends[0]!();
  await expect(results[0]).rejects.toThrow('refused');
  expect(begun).toEqual([0, 1, 2, 3]);
  ends[3]!();
  await results[3];
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  ends[2]!();
  ends[4]!();
  await settled;
  // All turns are back.
  expect(await Promise.all([turns.take(() => Promise.resolve('a')), turns.take(() => Promise.resolve('b'))])).toEqual([
    'a',
    'b',
  ]);
});
