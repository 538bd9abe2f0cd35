import { AggregateStreams, type AggregateLog } from './aggregate-streams.js';
import { product } from '../catalogue/product.js';
import { customer } from '../customers/customer.js';
import { delivery } from '../delivery/delivery.js';
import type { LiveLook } from './live-look.js';
import { order } from '../ordering/order.js';
import type { AggregateSnapshots } from './snapshots/aggregate-snapshots.js';

/** The aggregates that clients command, each category with its decider. `look`: for those that orders only look at. */
export function aggregatesIn(store: AggregateLog, snapshots?: AggregateSnapshots, look?: LiveLook) {
  return {
    orders: new AggregateStreams(store, 'order', order, { snapshots }),
    deliveries: new AggregateStreams(store, 'delivery', delivery, { snapshots }),
    products: new AggregateStreams(store, 'product', product, { snapshots, look }),
    customers: new AggregateStreams(store, 'customer', customer, { snapshots, look }),
  } as const;
}

export type Aggregates = ReturnType<typeof aggregatesIn>;
