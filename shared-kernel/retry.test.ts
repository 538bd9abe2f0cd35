import { expect, test } from '@jest/globals';
import { retryUntilAborted, type RetryDependencies } from './retry.js';

/** With the longest waits that the jitter allows, noted and not waited for. */
function watched(signal?: AbortController, abortAt = Infinity) {
  const sleeps: number[] = [];
  const faults: string[] = [];
  const dependencies: RetryDependencies = {
    backOff: { first: 100, most: 1_000 },
    timer: {
      sleep: (ms) => {
        sleeps.push(ms);
        if (sleeps.length === abortAt) signal?.abort();
        return Promise.resolve();
      },
    },
    randomness: { bytes: (size) => new Uint8Array(size).fill(255), uuid: () => '' },
    failed: ({ message }) => {
      faults.push(message);
    },
  };
  return { sleeps, faults, dependencies };
}

test('works until it is done, with back-off between failures', async () => {
  const { sleeps, faults, dependencies } = watched();
  let attempts = 0;
  const work = async () => {
    attempts += 1;
    if (attempts < 6) throw new Error(`no ${attempts}`);
    return 'done';
  };
  expect(await retryUntilAborted(work, new AbortController().signal, dependencies)).toBe('done');
  expect(faults).toEqual(['no 1', 'no 2', 'no 3', 'no 4', 'no 5']);
  expect(sleeps).toEqual([100, 200, 400, 800, 1_000]);
});

test('begins anew with the waits after progress', async () => {
  const { sleeps, dependencies } = watched();
  let attempts = 0;
  const work = async (progressed: () => void) => {
    attempts += 1;
    if (attempts === 3) progressed();
    if (attempts < 5) throw new Error('no');
  };
  await retryUntilAborted(work, new AbortController().signal, dependencies);
  expect(sleeps).toEqual([100, 200, 100, 200]);
});

test('ends while it waits, and as it fails, when it is aborted, and says nothing of that failure', async () => {
  const stopping = new AbortController();
  const { sleeps, faults, dependencies } = watched(stopping, 2);
  const failing = async (): Promise<string> => Promise.reject(new Error('no'));
  expect(await retryUntilAborted(failing, stopping.signal, dependencies)).toBeUndefined();
  expect([sleeps.length, faults.length]).toEqual([2, 2]);

  const other = new AbortController();
  const work = async (): Promise<string> => {
    other.abort();
    return Promise.reject(new Error('ended'));
  };
  expect(await retryUntilAborted(work, other.signal, dependencies)).toBeUndefined();
  expect([sleeps.length, faults.length]).toEqual([2, 2]);
});

test('rejects with what whoever is told of a failure throws', async () => {
  const { dependencies } = watched();
  const failed = (fault: Error) => {
    throw fault;
  };
  const failing = () => Promise.reject(new Error('for good'));
  await expect(retryUntilAborted(failing, new AbortController().signal, { ...dependencies, failed })).rejects.toThrow(
    'for good',
  );
});
