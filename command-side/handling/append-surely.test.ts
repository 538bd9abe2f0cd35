import { beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { Unavailable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { appendSurely } from './append-surely.js';
import { FaultyStore } from '../testing/faulty-store.js';

const stream = 'order-o1';
let log: MemoryEventStore;
let store: FaultyStore;

beforeEach(() => {
  log = new MemoryEventStore(systemClock);
  store = new FaultyStore(log);
});

test('an append of which nobody heard is done where its events are there', async () => {
  await log.append(stream, -1, [newEvent()]);
  store.fate = () => 'unheard';
  const appended = await appendSurely(store, stream, 0, [newEvent(), newEvent()]);
  expect(appended).toEqual({ revision: 2, position: await log.head() });
});

test.each(['lost', 'cut off'] as const)('it is said to have failed where that is not seen (%s)', async (fate) => {
  store.fate = () => fate;
  await expect(appendSurely(store, stream, -1, [newEvent()])).rejects.toBeInstanceOf(Unavailable);
});

test.each([1, 2])('it is a conflict where others are in their place (%i)', async (others) => {
  store.fate = async () => {
    await log.append(
      stream,
      -1,
      Array.from({ length: others }, () => newEvent()),
    );
    return 'lost' as const;
  };
  const appending = appendSurely(store, stream, -1, [newEvent(), newEvent()]);
  await expect(appending).rejects.toBeInstanceOf(WrongExpectedRevision);
});

test('what the store answers is not asked again', async () => {
  await log.append(stream, -1, [newEvent()]);
  store.readStream = () => Promise.reject(new Error('It is read.'));
  await expect(appendSurely(store, stream, -1, [newEvent()])).rejects.toBeInstanceOf(WrongExpectedRevision);
  expect(await appendSurely(store, stream, 0, [newEvent()])).toMatchObject({ revision: 1 });
});
