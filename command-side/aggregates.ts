import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { AggregateStreams } from './aggregate-streams.js';
import { product } from './catalogue/product.js';
import { customer } from './customers/customer.js';
import { delivery } from './delivery/delivery.js';
import { order } from './ordering/order.js';

/** The aggregates that clients command, each category with its decider. */
export function aggregatesIn(store: Pick<EventStore, 'append' | 'readStream'>) {
  return {
    orders: new AggregateStreams(store, 'order', order),
    deliveries: new AggregateStreams(store, 'delivery', delivery),
    products: new AggregateStreams(store, 'product', product),
    customers: new AggregateStreams(store, 'customer', customer),
  } as const;
}

export type Aggregates = ReturnType<typeof aggregatesIn>;
