import { append } from '../cases/append.mjs';
import { appendOne } from '../cases/append-one.mjs';
import { closeGrowth, listOrdersGrowth, placeOrderGrowth } from '../cases/growth.mjs';
import { hangingPayments } from '../cases/hanging-payments.mjs';
import { hotProduct } from '../cases/hot-product.mjs';
import { hotStock } from '../cases/hot-stock.mjs';
import { listOrders } from '../cases/list-orders.mjs';
import { loadAggregate } from '../cases/load-aggregate.mjs';
import {
  closeLongStreams,
  customersData,
  longPast,
  readersOfLongTimelines,
  strangersTimelines,
} from '../cases/long-streams.mjs';
import { loadHotProduct } from '../cases/load-hot-product.mjs';
import { bareRequests, burstOfOrders, carryOrders } from '../cases/place-order.mjs';
import { closeReadSide, dailyReport, manyWords, narrowList } from '../cases/read-side.mjs';
import { readsBesideWaiting, readYourWrite } from '../cases/read-your-write.mjs';
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
    carryOrders,
    burstOfOrders,
    bareRequests,
    listOrders,
    hotProduct,
    hotStock,
    hangingPayments,
    ...readYourWrite,
    readsBesideWaiting,
    append,
    appendOne,
    replay,
    rebuild,
    loadAggregate,
    strangersTimelines,
    readersOfLongTimelines,
    customersData,
    longPast,
    loadHotProduct,
    placeOrderGrowth,
    listOrdersGrowth,
    narrowList,
    dailyReport,
    manyWords,
  ],
  close: async () => {
    await closeLongStreams();
    await closeGrowth();
    await closeReadSide();
  },
};
