import { eventStoreContract } from '@waybill/shared-kernel/ports/event-store.contract.js';
import { MemoryEventStore } from './memory-event-store.js';

eventStoreContract('memory', async (clock) => {
  const store = new MemoryEventStore(clock);
  return { store, another: store, dispose: () => store.close() };
});
