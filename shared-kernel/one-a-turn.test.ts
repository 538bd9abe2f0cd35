import { expect, test } from '@jest/globals';
import { oneATurn } from './one-a-turn.js';

test('however many ask, each has a turn of the event loop alone, in the order in which they asked', async () => {
  let turn = 0;
  const count = (): void => {
    turn += 1;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  const own = oneATurn();
  const turns = [own('ann'), own('bob'), own('eve')];
  const had: (readonly [who: number, turn: number])[] = [];
  await Promise.all(
    [0, 1, 2].map(async (who) => {
      for (let piece = 0; piece < 3; piece += 1) {
        await turns[who]!();
        had.push([who, turn]);
      }
    }),
  );
  clearImmediate(timer);
  expect(had.map(([who]) => who)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
  expect(new Set(had.map(([, at]) => at)).size).toBe(9);
});

test('nobody waits for all that another asked for', async () => {
  const own = oneATurn();
  const done: string[] = [];
  const asked = Array.from({ length: 100 }, async (_, index) => {
    await own('flood')();
    done.push(`flood ${index}`);
  });
  asked.push(own('ann')().then(() => void done.push('ann')));
  await Promise.all(asked);
  expect(done.indexOf('ann')).toBeLessThanOrEqual(2);
  expect(done.filter((one) => one !== 'ann')).toEqual(Array.from({ length: 100 }, (_, index) => `flood ${index}`));
});
