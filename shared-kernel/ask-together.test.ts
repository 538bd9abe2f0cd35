import { beforeEach, describe, expect, test } from '@jest/globals';
import { Unavailable } from './errors.js';
import type { RelayCheckpoint } from './ports/read-store.js';
import { askTogether } from './ask-together.js';
import { manualTimer, type ManualTimer } from './testing/manual-timer.js';
import { turns } from './testing/turns.js';

describe('a checkpoint that is asked for together', () => {
  let timer: ManualTimer;
  let questions: { resolve: (checkpoint: RelayCheckpoint) => void; reject: (fault: Error) => void }[];
  let ask: () => Promise<RelayCheckpoint>;

  beforeEach(() => {
    timer = manualTimer();
    questions = [];
    const checkpoints = {
      relayCheckpoint: () =>
        new Promise<RelayCheckpoint>((resolve, reject) => {
          questions.push({ resolve, reject });
        }),
    };
    ask = () => sharing.relayCheckpoint();
    const sharing = askTogether(checkpoints, timer);
  });

  const at = (position: number): RelayCheckpoint => ({ position, heads: {} });

  test('forty who ask are one question, for half a second', async () => {
    const asked = Array.from({ length: 40 }, ask);
    questions[0]!.resolve(at(1));
    expect(await Promise.all(asked)).toEqual(asked.map(() => at(1)));
    expect(await ask()).toEqual(at(1));
    expect([questions.length, timer.waits]).toEqual([1, [500]]);
    timer.elapse();
    await turns();
    const next = ask();
    questions[1]!.resolve(at(2));
    expect(await next).toEqual(at(2));
  });

  test('a question that is never answered is not waited for by those who ask half a second later', async () => {
    void ask();
    timer.elapse();
    await turns();
    const next = ask();
    questions[1]!.resolve(at(2));
    expect(await next).toEqual(at(2));
  });

  test('a fault is told to those who wait, and not kept', async () => {
    const asked = Promise.allSettled([ask(), ask()]);
    questions[0]!.reject(new Unavailable('read store', 'Gone.'));
    expect((await asked).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(timer.waits).toEqual([]);
    const next = ask();
    questions[1]!.resolve(at(2));
    expect(await next).toEqual(at(2));
  });
});
