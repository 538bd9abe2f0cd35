import { beforeEach, expect, test } from '@jest/globals';
import { HeardCommits, sayCommits } from './between-threads.js';

let heard: HeardCommits;
const said: (readonly number[])[] = [];
const woken: string[] = [];
let committed: (partition: number) => void;
beforeEach(() => {
  heard = new HeardCommits();
  said.length = 0;
  woken.length = 0;
  committed = sayCommits(heard.listening, (partitions) => {
    said.push(partitions);
    heard.hear(partitions);
  });
});

test('who listens to a partition is woken after its commits, until they listen no more', async () => {
  const stop = heard.listen(3, () => woken.push('first'));
  heard.listen(3, () => woken.push('second'));
  heard.listen(4, () => woken.push('other'));
  committed(3);
  await Promise.resolve();
  expect(woken).toEqual(['first', 'second']);
  stop();
  stop();
  committed(3);
  await Promise.resolve();
  expect(woken).toEqual(['first', 'second', 'second']);
});

test('nothing is said where nobody listens, and all of a turn at once', async () => {
  committed(1);
  const stop = heard.listen(1, () => {});
  heard.listen(2, () => {});
  for (const partition of [1, 2, 1, 5]) committed(partition);
  await Promise.resolve();
  expect(said).toEqual([[1, 2]]);
  stop();
  committed(1);
  await Promise.resolve();
  expect(said).toHaveLength(1);
});
