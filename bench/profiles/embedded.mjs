import { append } from '../cases/append.mjs';
import { appendOne } from '../cases/append-one.mjs';
import { closeGrowth, listOrdersGrowth, placeOrderGrowth } from '../cases/growth.mjs';
import { hotProduct } from '../cases/hot-product.mjs';
import { hotStock } from '../cases/hot-stock.mjs';
import { listOrders } from '../cases/list-orders.mjs';
import { loadAggregate } from '../cases/load-aggregate.mjs';
import { placeOrder } from '../cases/place-order.mjs';
import { rebuild } from '../cases/rebuild.mjs';
import { replay } from '../cases/replay.mjs';

/** Everything in one process on one data folder. */
export const embedded = {
  title: 'Benchmarks',
  command: 'npm run bench',
  other: 'On servers: [benchmarks on servers](benchmarks-servers.md).',
  page: 'docs/benchmarks.md',
  findings: 'bench/profile.md',
  cases: [
    placeOrder,
    listOrders,
    hotProduct,
    hotStock,
    append,
    appendOne,
    replay,
    rebuild,
    loadAggregate,
    placeOrderGrowth,
    listOrdersGrowth,
  ],
  close: closeGrowth,
};
