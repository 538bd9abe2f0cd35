import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Changes } from './changes.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test('whoever begins to wait has others asked at once and often, then less and less', async () => {
  const asked: number[] = [];
  let now = 0;
  let hasGrown = false;
  const changes = new Changes({
    everyMs: 32,
    changed: () => {
      asked.push(now);
      return hasGrown;
    },
  });
  const pass = (milliseconds: number): void => {
    for (let passed = 0; passed < milliseconds; passed += 1) {
      now += 1;
      jest.advanceTimersByTime(1);
    }
  };
  const grown = changes.since(changes.count, new AbortController().signal);
  pass(130);
  expect(asked).toEqual([2, 6, 14, 30, 62, 94, 126]);
  hasGrown = true;
  pass(32);
  await grown;
  hasGrown = false;
  asked.length = 0;
  now = 0;
  pass(100);
  expect(asked).toEqual([]);
  void changes.since(changes.count, new AbortController().signal);
  pass(10);
  expect(asked).toEqual([102, 106]);
  changes.close();
});
