import { expect, test } from '@jest/globals';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { systemClock } from '../../clock/system.js';
import { eventStoreContract } from '@waybill/shared-kernel/ports/event-store.contract.js';
import { appendUnreadable } from '../testing/append-unreadable.js';
import { MemoryEventStore } from './memory-event-store.js';

eventStoreContract('memory', async (clock) => {
  const store = new MemoryEventStore(clock);
  return {
    store,
    another: store,
    truncate: async (stream, before) => store.truncate(stream, before),
    appendUnreadable: (stream, revision) => appendUnreadable(store, stream, revision),
    administration: {
      softDelete: async (stream) => store.truncate(stream, Infinity),
      tombstone: async (stream) => store.tombstone(stream),
      restore: async (stream) => store.truncate(stream, 0),
    },
    dispose: () => store.close(),
  };
});

test('leaves out what is not wanted, marks too', async () => {
  const store = new MemoryEventStore(systemClock);
  await store.append('fulfilment-1', -1, [newEvent()]);
  await store.append('order-1', -1, [newEvent()]);
  store.truncate('fulfilment-1', 1);
  const { events, marks, through } = await store.readAll(0, 10, new Set(['order']));
  expect(events.map(({ stream }) => stream)).toEqual(['order-1']);
  expect(marks).toEqual([]);
  expect(through).toBe(3);
});
