import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { AggregateStreams } from '../handling/aggregate-streams.js';
import { product } from '../catalogue/product.js';
import { StockKeeper } from '../catalogue/stock-keeper.js';
import { ProcessManager } from '../fulfilment/process-manager.js';
import { orderConcerned } from '../fulfilment/fulfilment.js';
import { PaymentDesk } from '../payments/testing/payment-desk.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

const never = (): Promise<boolean> => Promise.resolve(false);

interface Dependencies {
  readonly store: EventStore;
  readonly clock: WallClock;
}

/** The payments of a log. */
export function paymentsOf({ store, clock }: Dependencies): PaymentDesk {
  return new PaymentDesk({ store, clock, randomness: systemRandomness, timer: systemTimer });
}

/**
 * The process manager and the payments of a log: each call lets them work on all that happened since the last, until
 * nothing more happens.
 */
export function fulfilmentOf(
  { store, clock }: Dependencies,
  payments = paymentsOf({ store, clock }),
): () => Promise<void> {
  const dependencies = { store, clock, randomness: systemRandomness, timer: systemTimer };
  const stock = new StockKeeper(new AggregateStreams(store, 'product', product), dependencies);
  const worklist = { note: () => {} };
  const believed = { time: () => clock.time(), isProven: () => true };
  const manager = new ProcessManager({ ...dependencies, clock: believed, stock, worklist, askPayment: payments.ask });
  let handled = 0;
  return async function fulfil(): Promise<void> {
    for (const event of await wholeLog(store, handled)) {
      handled = event.position;
      const concerned = orderConcerned(event);
      if (concerned !== undefined) await manager.handle(concerned, upcast(event), never);
    }
    const isPaid = await payments.settle();
    if (isPaid || (await store.head()) > handled) await fulfil();
  };
}
