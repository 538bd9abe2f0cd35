import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { AggregateStreams } from '../handling/aggregate-streams.js';
import { product } from '../catalogue/product.js';
import { StockKeeper } from '../catalogue/stock-keeper.js';
import { Fulfiller } from '../fulfilment/fulfil.js';
import { orderConcerned } from '../fulfilment/fulfilment.js';
import { PaymentDesk } from '../payments/testing/payment-desk.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

const never = (): Promise<boolean> => Promise.resolve(false);

interface Means {
  readonly store: EventStore;
  readonly clock: WallClock;
}

/** The payments of a log. */
export function paymentsOf({ store, clock }: Means): PaymentDesk {
  return new PaymentDesk({ store, clock, randomness: systemRandomness, timer: systemTimer });
}

/**
 * The process manager and the payments of a log: each call lets them work on all that happened since the last, until
 * nothing more happens.
 */
export function fulfilmentOf({ store, clock }: Means, payments = paymentsOf({ store, clock })): () => Promise<void> {
  const means = { store, clock, randomness: systemRandomness, timer: systemTimer };
  const stock = new StockKeeper(new AggregateStreams(store, 'product', product), means);
  const worklist = { note: () => {} };
  const believed = { time: () => clock.time(), isProven: () => true };
  const fulfiller = new Fulfiller({ ...means, clock: believed, stock, worklist, askPayment: payments.ask });
  let handled = 0;
  return async function fulfil(): Promise<void> {
    for (const event of await wholeLog(store, handled)) {
      handled = event.position;
      const concerned = orderConcerned(event);
      if (concerned !== undefined) await fulfiller.handle(concerned, upcast(event), never);
    }
    const isPaid = await payments.settle();
    if (isPaid || (await store.head()) > handled) await fulfil();
  };
}
