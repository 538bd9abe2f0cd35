import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import { Fulfiller } from '../fulfilment/fulfil.js';
import { orderConcerned } from '../fulfilment/fulfilment.js';
import type { WriteApi } from './write-api.js';

/** The process manager of a write API: each call lets it work on all that happened since the last. */
export function fulfilmentOf({ store, clock }: WriteApi): () => Promise<void> {
  const fulfiller = new Fulfiller({ store, clock, randomness: systemRandomness, timer: systemTimer });
  let handled = 0;
  return async function fulfil(): Promise<void> {
    for (const event of await store.readAll(handled, 1000)) {
      handled = event.position;
      const known = upcast(event);
      const concerned = orderConcerned(known);
      if (concerned !== undefined) await fulfiller.handle(concerned, known, () => Promise.resolve(false));
    }
    if ((await store.head()) > handled) await fulfil();
  };
}
