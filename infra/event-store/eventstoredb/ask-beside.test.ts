import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { askBeside } from './ask-beside.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

interface Call {
  readonly limitMs: number;
  readonly answer: (answer: string) => void;
  readonly fail: (error: Error) => void;
}

const refusal = new Error('refused');

/** Calls as they are made, to be answered by the test, and what came of the whole. */
function asking(limitMs = 1_500) {
  const calls: Call[] = [];
  let outcome: unknown;
  const ask = (left: number) =>
    new Promise<string>((resolve, reject) => calls.push({ limitMs: left, answer: resolve, fail: reject }));
  askBeside(limitMs, ask, (error) => error === refusal).then(
    (answer) => (outcome = answer),
    (error: unknown) => (outcome = error),
  );
  return { calls, outcome: () => outcome };
}

test('goes out beside the open ones after 150, 450 and 1,050 ms, each with the time that is left', async () => {
  const { calls, outcome } = asking();
  await jest.advanceTimersByTimeAsync(149);
  expect(calls).toHaveLength(1);
  await jest.advanceTimersByTimeAsync(5_000);
  expect(calls.map(({ limitMs }) => limitMs)).toEqual([1_500, 1_350, 1_050, 450]);
  calls[2]!.answer('third');
  await jest.advanceTimersByTimeAsync(0);
  expect(outcome()).toBe('third');
});

test('is not sent again when it is answered, nor when there is no time left', async () => {
  const [answered, hurried] = [asking(), asking(300)];
  answered.calls[0]!.answer('first');
  await jest.advanceTimersByTimeAsync(5_000);
  expect(answered.calls).toHaveLength(1);
  expect(answered.outcome()).toBe('first');
  expect(hurried.calls).toHaveLength(2);
});

test('the first call stays open, and may win after all', async () => {
  const { calls, outcome } = asking();
  await jest.advanceTimersByTimeAsync(1_200);
  for (const { fail } of calls.slice(1)) fail(new Error('dropped'));
  await jest.advanceTimersByTimeAsync(100);
  expect(outcome()).toBeUndefined();
  calls[0]!.answer('first');
  await jest.advanceTimersByTimeAsync(0);
  expect(outcome()).toBe('first');
});

test('a refusal of a late one does not win against a success that comes shortly after', async () => {
  const { calls, outcome } = asking();
  await jest.advanceTimersByTimeAsync(160);
  calls[1]!.fail(refusal);
  await jest.advanceTimersByTimeAsync(10);
  expect(outcome()).toBeUndefined();
  calls[0]!.answer('first');
  await jest.advanceTimersByTimeAsync(0);
  expect(outcome()).toBe('first');
});

test('a refusal wins at once where nothing else is open, else after a while, and nothing more is sent', async () => {
  const alone = asking();
  alone.calls[0]!.fail(refusal);
  await jest.advanceTimersByTimeAsync(0);
  expect(alone.outcome()).toBe(refusal);
  const beside = asking();
  await jest.advanceTimersByTimeAsync(160);
  beside.calls[1]!.fail(refusal);
  await jest.advanceTimersByTimeAsync(5_000);
  expect(beside.outcome()).toBe(refusal);
  expect(beside.calls).toHaveLength(2);
});

test('rejects when every call has failed', async () => {
  const { calls, outcome } = asking();
  await jest.advanceTimersByTimeAsync(160);
  calls[1]!.fail(new Error('second'));
  calls[0]!.fail(new Error('first'));
  await jest.advanceTimersByTimeAsync(0);
  expect(outcome()).toEqual(new Error('first'));
  await jest.advanceTimersByTimeAsync(5_000);
  expect(calls).toHaveLength(2);
});
