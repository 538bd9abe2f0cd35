import { beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { beginning, largestPage, type LogHead, type LogPages } from '@waybill/shared-kernel/ports/event-store.js';
import { LiveLook } from './live-look.js';

let clock: VirtualClock;
let log: MemoryEventStore;
let revisions: Map<string, number>;
/** What was asked of the log: from where it was read, or `head`. */
let asked: (number | 'head')[];
let slept: number[];
/** What the follower of products was told. */
let told: string[];
let look: LiveLook;

/** One event; answers its position. */
async function happens(stream: string, to = log): Promise<number> {
  const id = systemRandomness.uuid();
  const envelope = { id, correlationId: id, causationId: id, partitionKey: 'p', schemaVersion: 1 };
  const event: NewEvent = { ...envelope, type: 'X', occurredAt: '2026-01-01T10:00:00.000Z', data: {} };
  const at = revisions.get(stream) ?? -1;
  revisions.set(stream, at + 1);
  return (await to.append(stream, at, [event])).position;
}

function lookAt(store: LogHead & LogPages): LiveLook {
  const watched = {
    head: () => (asked.push('head'), store.head()),
    readAll: (after: number, limit: number) => (asked.push(after), store.readAll(after, limit)),
  };
  const timer = {
    sleep: async (milliseconds: number) => {
      slept.push(milliseconds);
      clock.advance(milliseconds);
    },
  };
  const looking = new LiveLook({ store: watched, clock, timer });
  looking.follow({
    category: 'product',
    see: ({ stream, revision }) => told.push(`${stream} ${revision}`),
    doubt: (stream) => told.push(`doubt ${stream}`),
    begin: () => told.push('begin'),
  });
  return looking;
}

beforeEach(() => {
  clock = virtualClock('2026-01-01T10:00:00Z');
  log = new MemoryEventStore(clock);
  revisions = new Map();
  [asked, slept, told] = [[], [], []];
  look = lookAt(log);
});

test('it begins at the end of the log, and tells what comes then of a category', async () => {
  await happens('product-old');
  expect(await look.isFresh()).toBe(true);
  await happens('product-tea');
  await happens('order-1');
  const last = await happens('product-tea');
  expect(await look.reaches(last)).toBe(true);
  expect([look.through, told]).toEqual([last, ['product-tea 0', 'product-tea 1']]);
  log.tombstone('product-tea');
  await look.reaches(await log.head());
  expect(told.slice(2)).toEqual(['doubt product-tea']);
});

test('it looks when it is asked, and not again for what it has looked at', async () => {
  await look.isFresh();
  await happens('product-tea');
  const last = await happens('order-1');
  expect([await look.reaches(last), await look.reaches(last)]).toEqual([true, true]);
  expect(await look.isFresh()).toBe(true);
  expect(asked).toEqual(['head', 0]);
  clock.advance(101);
  expect(await look.isFresh()).toBe(true);
  // From before the last event, which bears out that the log is the same.
  expect(asked).toEqual(['head', 0, last - 1]);
});

test('one look serves all who ask before it begins, and none that had begun', async () => {
  await look.isFresh();
  clock.advance(1_000);
  const under = look.isFresh();
  const last = await happens('product-tea');
  const those = Promise.all([1, 2, 3].map(() => look.reaches(last)));
  expect([await under, ...(await those)]).toEqual([true, true, true, true]);
  expect(asked.length).toBeLessThanOrEqual(3);
});

test('looks keep a distance, in which more may ask', async () => {
  await look.isFresh();
  for (const stream of ['order-1', 'order-2', 'order-3']) await look.reaches(await happens(stream));
  expect(slept).toEqual([10, 10, 10]);
});

test('what the log does not show is not reached', async () => {
  await look.isFresh();
  expect(await look.reaches(17)).toBe(false);
});

test('what others read need not be read, where it goes on from what was looked at', async () => {
  await look.isFresh();
  const first = await happens('product-tea');
  const second = await happens('product-tea');
  const page = await log.readAll(0, 10);
  look.take(second, { ...page, through: second + 5 });
  expect([look.through, told]).toEqual([0, []]);
  look.take(0, { ...page, events: page.events.slice(0, 1), through: first });
  look.take(0, page);
  expect([look.through, told]).toEqual([second, ['product-tea 0', 'product-tea 1']]);
  // What is older changes nothing.
  look.take(0, { ...page, events: page.events.slice(0, 1), through: first });
  expect([await look.reaches(second), asked, told.length]).toEqual([true, ['head'], 2]);
});

test('what others read is no news behind a gap, and what is read late takes nothing back', async () => {
  let meanwhile = (): Promise<void> => Promise.resolve();
  look = lookAt({
    head: () => log.head(),
    readAll: async (...where) => {
      const page = await log.readAll(...where);
      await meanwhile();
      return page;
    },
  });
  await look.isFresh();
  const first = await happens('product-tea');
  await look.reaches(first);
  const second = await happens('product-tea');
  const third = await happens('product-tea');
  look.take(second, await log.readAll(second, 10));
  expect([look.through, told]).toEqual([first, ['product-tea 0']]);
  meanwhile = async () => {
    meanwhile = () => Promise.resolve();
    await happens('product-tea');
    look.take(first, await log.readAll(first, 10));
  };
  expect([await look.reaches(third), look.through]).toEqual([true, third + 1]);
  expect(told).toEqual(['product-tea 0', 'product-tea 1', 'product-tea 2', 'product-tea 3']);
});

test('a long way is looked through in pages, and what other programs write is not read again', async () => {
  await look.isFresh();
  const last = await happens('order-1');
  await look.reaches(last);
  const foreign = last + 3 * largestPage;
  let head = last;
  const quiet = lookAt({
    head: async () => head,
    readAll: async (after) => ({ events: [], marks: [], through: after + largestPage, isEnd: after >= foreign }),
  });
  await quiet.isFresh();
  head = foreign + largestPage;
  expect(await quiet.reaches(foreign)).toBe(true);
  asked = [];
  clock.advance(1_000);
  await quiet.isFresh();
  // Where none of our events bears out the log, its end does.
  expect(asked).toEqual([foreign, 'head']);
});

test('where the end is far away it begins anew there', async () => {
  await look.isFresh();
  for (let count = 0; count < 4 * largestPage; count += 1) await happens('order-1');
  expect(await look.isFresh()).toBe(true);
  clock.advance(1_000);
  await happens('order-1');
  asked = [];
  expect([await look.isFresh(), asked.length, told]).toEqual([false, 4, ['begin']]);
  expect([await look.isFresh(), look.through]).toEqual([true, await log.head()]);
});

describe('another log in the place of the one before', () => {
  const holding = () => {
    let now: LogHead & LogPages = log;
    look = lookAt({ head: () => now.head(), readAll: (...where) => now.readAll(...where) });
    return (other: LogHead & LogPages) => (now = other);
  };

  test.each([
    ['longer', 9],
    ['as long', 2],
    ['shorter', 1],
  ])('that is %s is noticed, and it begins anew at its end', async (_case, events) => {
    const put = holding();
    await look.isFresh();
    await happens('product-tea');
    expect(await look.reaches(await happens('product-tea'))).toBe(true);
    const other = new MemoryEventStore(clock);
    revisions.clear();
    for (let count = 0; count < events; count += 1) await happens('product-tea', other);
    put(other);
    clock.advance(1_000);
    told = [];
    expect([await look.isFresh(), told, look.through]).toEqual([false, ['begin'], undefined]);
    expect([await look.isFresh(), look.through]).toEqual([true, await other.head()]);
  });

  test.each([
    ['with the place of its last event', 0],
    ['behind that', 1],
  ])('is noticed by what somebody else has read, %s', async (_case, after) => {
    await look.isFresh();
    await happens('product-tea');
    const last = await happens('product-tea');
    await look.reaches(last);
    const other = new MemoryEventStore(clock);
    revisions.clear();
    for (let count = 0; count < 5; count += 1) await happens('product-tea', other);
    told = [];
    look.take(0, await other.readAll(0, 1));
    look.take(after, await other.readAll(after, 10));
    expect([told, look.through]).toEqual([['begin'], undefined]);
    look.take(after, await other.readAll(after, 10));
    expect(told).toEqual(['begin']);
  });

  test('that ends before where it began is noticed too, though it had met nothing yet', async () => {
    const put = holding();
    for (let count = 0; count < 3; count += 1) await happens('product-tea');
    await look.isFresh();
    const other = new MemoryEventStore(clock);
    revisions.clear();
    await happens('product-tea', other);
    put(other);
    clock.advance(1_000);
    expect([await look.isFresh(), told]).toEqual([false, ['begin']]);
    expect([await look.isFresh(), look.through]).toEqual([true, await other.head()]);
  });

  test.each([
    ['has another event there', 3],
    ['ends before that', 1],
  ])('is noticed where this process knows of a later event than the look has met, and it %s', async (_case, events) => {
    const put = holding();
    await look.isFresh();
    await look.reaches(await happens('product-tea'));
    const [first] = (await log.readAll(beginning, 1)).events;
    const other = new MemoryEventStore(clock);
    await other.append('product-tea', -1, [first!]);
    look.note({ id: 'ours', position: await happens('product-tea') });
    revisions.set('product-tea', 0);
    for (let count = 1; count < events; count += 1) await happens('product-tea', other);
    put(other);
    clock.advance(1_000);
    told = [];
    expect([await look.isFresh(), told]).toEqual([false, ['begin']]);
  });

  test('one that cannot be read is not asked again for a second, and then from its end', async () => {
    const put = holding();
    await look.isFresh();
    const last = await happens('product-tea');
    const fails = () => Promise.reject(new Unavailable('event store', 'It is down.'));
    put({ head: fails, readAll: fails });
    expect(await Promise.all([look.reaches(last), look.reaches(last)])).toEqual([false, false]);
    const count = asked.length;
    clock.advance(999);
    put(log);
    expect([await look.isFresh(), told, asked.length]).toEqual([false, ['begin'], count]);
    clock.advance(2);
    expect([await look.isFresh(), asked.slice(count), told]).toEqual([true, ['head'], ['begin']]);
  });
});
