import { dataFiles } from '../../infra/dist/process/config.js';
import { systemClock } from '../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { inScratchFolder } from '../scratch.mjs';
import { load } from '../http-load.mjs';
import { startWaybill } from '../process.mjs';
import { openShop } from '../shop.mjs';

const customer = 'customer-0';
const orders = Number(process.env.WAYBILL_BENCH_ORDERS ?? 2000);
const spread = 50;

/** Confirmed orders a second, from the first that is placed to the last that is confirmed, stock counted and paid. */
export const hotProduct = {
  name: 'hot-product',
  what: `orders confirmed when all ${orders.toLocaleString('en')} are for one product`,
  against: `the same number for ${spread} products in turn`,
  unit: 'orders/s',
  atLeast: 0.5,
  async sides({ note }) {
    return {
      ours: () => inScratchFolder((folder) => confirmedRate(folder, 1, note)),
      theirs: () => inScratchFolder((folder) => confirmedRate(folder, spread, () => {})),
    };
  },
};

async function confirmedRate(folder, productCount, note) {
  const waybill = await startWaybill(folder);
  const store = openSqliteEventStore(dataFiles(folder).log, { clock: systemClock });
  try {
    const shop = await openShop(folder, waybill);
    await shop.registerCustomer(customer);
    const productIds = Array.from({ length: productCount }, (_, index) => `tea-${index}`);
    for (const productId of productIds) await shop.listProduct(productId, { stock: 2 * orders });
    await load({ ...placements(waybill.writeUrl, shop.token, productIds, 'warm'), amount: 500, mayRefuse: true });
    await shop.untilProjected();

    // After a quiet time a burst is taken.
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    const before = await store.head();
    const run = { ...placements(waybill.writeUrl, shop.token, productIds, 'run'), amount: orders, mayRefuse: true };
    const { count } = await load(run);
    const { seconds, reservedAfter, appends } = await untilConfirmed(store, before, count);
    const share = Math.round((100 * reservedAfter) / seconds);
    note(`all reserved after ${share} % of the time, ${(count / appends).toFixed(0)} in an append`);
    return count / seconds;
  } finally {
    await store.close();
    await waybill.stop();
  }
}

/** Requests that place orders of one piece, for each of the products in turn. */
function placements(writeUrl, token, productIds, run) {
  let placed = 0;
  return {
    url: `${writeUrl}/v1/orders`,
    method: 'POST',
    requests: [
      {
        setupRequest: (request) => {
          placed += 1;
          return {
            ...request,
            headers: {
              'content-type': 'application/json',
              authorization: `Bearer ${token}`,
              'idempotency-key': `${run}-${placed}`,
            },
            body: JSON.stringify({
              customerId: customer,
              lines: [{ productId: productIds[placed % productIds.length], quantity: 1 }],
              payment: { token: 'tok_approve' },
            }),
          };
        },
      },
    ],
  };
}

/** By the log's own times: seconds from the first placement to the last confirmation, and to the last reservation. */
async function untilConfirmed(store, after, orders) {
  const times = {};
  let [from, confirmed, appends] = [after, 0, 0];
  let lastReserved;
  while (confirmed < orders) {
    const { events } = await store.readAll(from, 1_000);
    if (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    for (const event of events) {
      const { type, stream, position, recordedAt } = event;
      from = position;
      if (type === 'OrderRejected') throw new Error(`Order ${event.data.orderId}: ${event.data.reason}`);
      times.first ??= Date.parse(recordedAt);
      if (type === 'StockReserved') {
        // What is appended together stands together.
        if (lastReserved?.stream !== stream || lastReserved.position !== position - 1) appends += 1;
        lastReserved = event;
        times.reserved = Date.parse(recordedAt);
      }
      if (type === 'OrderConfirmed') {
        confirmed += 1;
        times.confirmed = Date.parse(recordedAt);
      }
    }
  }
  const secondsTo = (time) => (time - times.first) / 1000;
  return { seconds: secondsTo(times.confirmed), reservedAfter: secondsTo(times.reserved), appends };
}
