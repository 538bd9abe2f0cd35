import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import { KnownRequests } from './known-requests.js';

const hour = 60 * 60 * 1000;

test('a request is known by the last of its events', () => {
  const requests = new KnownRequests();
  requests.note('a', 0, 0);
  requests.note('b', 1, 5);
  requests.note('a', 2, 5);
  expect(['a', 'b', 'c'].map((id) => requests.revisionOf(id))).toEqual([2, 1, undefined]);
  expect(requests.upTo(1)).toEqual([['b', 1, 5]]);
});

test('of the last day all are known, of those before the last thousand', () => {
  const requests = new KnownRequests();
  const known = (): readonly number[] => requests.upTo(Infinity).map(([, revision]) => revision);
  for (let revision = 0; revision < 1_500; revision += 1) requests.note(`r${revision}`, revision, revision);
  expect(known()).toHaveLength(1_500);
  for (let revision = 1_500; revision < 2_499; revision += 1) {
    requests.note(`r${revision}`, revision, 24 * hour + 200);
    expect(requests.size).toBe(revision + 1);
  }
  // The thousandth that is a day newer than the first 200.
  requests.note('r2499', 2_499, 24 * hour + 200);
  expect(known()).toEqual(Array.from({ length: 2_300 }, (_, index) => 200 + index));
  for (let revision = 2_500; revision < 3_500; revision += 1) requests.note(`r${revision}`, revision, 365 * 24 * hour);
  expect(known()).toEqual(Array.from({ length: 1_000 }, (_, index) => 2_500 + index));
});

test('a host whose clock is fast makes nobody forgotten', () => {
  const requests = new KnownRequests();
  for (let revision = 0; revision < 3_000; revision += 1) {
    requests.note(`r${revision}`, revision, revision % 500 === 499 ? revision + 25 * hour : revision);
  }
  expect(requests.size).toBe(3_000);
});

test('what is forgotten is as the rule says, whatever the clocks', () => {
  const requests = new KnownRequests();
  const expected: number[] = [];
  const day = 24 * hour;
  for (let revision = 0; revision < 5_000; revision += 1) {
    // Four hosts, of which one is two hours behind, one ahead, and one anywhere within a day.
    const at = revision * 60_000 + [0, -2 * hour, 2 * hour, ((revision * 7_919) % 24) * hour][revision % 4]!;
    requests.note(`r${revision}`, revision, at);
    expected.push(at);
    while (expected.length > 1_000 && Math.min(...expected.slice(-1_000)) - expected[0]! > day) expected.shift();
    expect(requests.size).toBe(expected.length);
  }
  expect(expected.length).toBeLessThan(4_000);
});

test('they take about as much memory as they say', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const namespace = '5e1c1b52-6a0f-4d0c-9a55-1f3f0d1a7c11';
  const heapBytes = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = heapBytes();
  const all = Array.from({ length: 20 }, (_, product) => {
    const requests = new KnownRequests();
    for (let n = 0; n < 6_000; n += 1) requests.noteRuled(uuidV5(`${product} ${n}`, namespace), n, n * 3);
    return requests;
  });
  const grownBytes = heapBytes() - before;
  const saidBytes = all.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(saidBytes / grownBytes).toBeGreaterThan(0.7);
  expect(saidBytes / grownBytes).toBeLessThan(1.4);
});

test('what is written down and read again goes on as if it had not been', () => {
  const [whole, before] = [new KnownRequests(), new KnownRequests()];
  const noteTo = (requests: KnownRequests, from: number, to: number): void => {
    for (let revision = from; revision < to; revision += 1) requests.note(`r${revision}`, revision, revision * hour);
  };
  noteTo(whole, 0, 2_500);
  noteTo(before, 0, 1_200);
  const after = new KnownRequests(before.upTo(1_199));
  noteTo(after, 1_200, 2_500);
  expect(after.upTo(Infinity)).toEqual(whole.upTo(Infinity));
  expect(whole.upTo(Infinity)).toHaveLength(1_024);
});

describe('requests by rule', () => {
  const some = (count: number): KnownRequests => {
    const requests = new KnownRequests([], undefined, 3);
    for (let nth = 0; nth < count; nth += 1) requests.noteRuled(`r${nth}`, nth, 10 * nth + 10);
    return requests;
  };

  test('are known while they are among the latest, and it is known up to where they are not', () => {
    const requests = some(3);
    expect([requests.forgottenThrough, requests.revisionOf('r0')]).toEqual([0, 0]);
    requests.noteRuled('r3', 3, 40);
    requests.noteRuled('r4', 4, 50);
    expect([requests.forgottenThrough, requests.size]).toEqual([20, 3]);
    expect(['r0', 'r1', 'r2', 'r4'].map((id) => requests.revisionOf(id))).toEqual([undefined, undefined, 2, 4]);
  });

  test('that are read again change nothing', () => {
    const requests = some(9);
    const before = requests.ruledUpTo(Infinity);
    for (let nth = 0; nth < 9; nth += 1) requests.noteRuled(`r${nth}`, nth, 10 * nth + 10);
    expect(requests.ruledUpTo(Infinity)).toEqual(before);
    expect(before?.forgottenThrough).toBe(60);
  });

  test('push out none of a client, are written down and read again', () => {
    const requests = some(9);
    requests.note('client', 9, 0);
    expect(requests.upTo(Infinity)).toEqual([['client', 9, 0]]);
    const read = new KnownRequests(requests.upTo(9), requests.ruledUpTo(9), 3);
    for (const each of [requests, read]) each.noteRuled('r9', 10, 100);
    expect(read.ruledUpTo(Infinity)).toEqual(requests.ruledUpTo(Infinity));
    expect(requests.ruledUpTo(7)?.known).toEqual([['r7', 7, 80]]);
    expect(new KnownRequests().ruledUpTo(9)).toBeUndefined();
  });
});
