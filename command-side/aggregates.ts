import { AggregateStreams, type AggregateLog } from './aggregate-streams.js';
import { product } from './catalogue/product.js';
import { customer } from './customers/customer.js';
import { delivery } from './delivery/delivery.js';
import { order } from './ordering/order.js';
import type { AggregateSnapshots } from './snapshots/aggregate-snapshots.js';

/** The aggregates that clients command, each category with its decider. */
export function aggregatesIn(store: AggregateLog, snapshots?: AggregateSnapshots) {
  return {
    orders: new AggregateStreams(store, 'order', order, { snapshots }),
    deliveries: new AggregateStreams(store, 'delivery', delivery, { snapshots }),
    products: new AggregateStreams(store, 'product', product, { snapshots }),
    customers: new AggregateStreams(store, 'customer', customer, { snapshots }),
  } as const;
}

export type Aggregates = ReturnType<typeof aggregatesIn>;
