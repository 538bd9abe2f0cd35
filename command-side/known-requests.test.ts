import { expect, test } from '@jest/globals';
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
  requests.note('a day later', 1_500, 24 * hour + 200);
  expect(known()).toEqual(Array.from({ length: 1_301 }, (_, index) => 200 + index));
  requests.note('a year later', 1_501, 365 * 24 * hour);
  expect(known()).toEqual(Array.from({ length: 1_000 }, (_, index) => 502 + index));
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
  expect(whole.upTo(Infinity)).toHaveLength(1_000);
});
