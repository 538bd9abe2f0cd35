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
