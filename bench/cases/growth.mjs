import { fillFolder } from '../filled-folder.mjs';
import { load } from '../http-load.mjs';
import { eventsPerOrder } from '../orders-log.mjs';
import { startWaybill } from '../process.mjs';
import { lastingScratchFolder } from '../scratch.mjs';
import { openShop } from '../shop.mjs';
import { placementRequest } from './place-order.mjs';

const seconds = Number(process.env.WAYBILL_BENCH_SECONDS ?? 6);
const many = 1_000_000;
const few = 1_000;
const connections = 16;

let opened;
/** Both servers, filled once for both cases. */
async function servers() {
  opened ??= Promise.all([
    open({ orders: many / eventsPerOrder, customers: 1000 }),
    open({ orders: few / eventsPerOrder, customers: 10 }),
  ]);
  return opened;
}

/** Ends both servers and removes their folders. */
export async function closeGrowth() {
  if (opened === undefined) return;
  for (const server of await opened) await server.close();
}

/** Whether it gets slower as the log grows: time of an answer, not rate, so less is better. */
function growthOf(name, what, measure) {
  return {
    name,
    what: `${what} with ${many.toLocaleString('en')} events in the log`,
    against: `the same with ${few.toLocaleString('en')}`,
    unit: 'ms',
    atMost: 1.2,
    async sides() {
      const [large, small] = await servers();
      return { ours: () => measure(large), theirs: () => measure(small) };
    },
  };
}

async function open({ orders, customers }) {
  const { folder, remove } = lastingScratchFolder();
  await fillFolder(folder, { orders, customers });
  const waybill = await startWaybill(folder);
  const shop = await openShop(folder, waybill, { customers: 0 });
  await shop.registerCustomer('buyer');
  return {
    ...waybill,
    shop,
    customers,
    close: async () => {
      await waybill.stop();
      remove();
    },
  };
}

export const placeOrderGrowth = growthOf('place-order-growth', 'place order', async ({ writeUrl, shop }) => {
  const { rate } = await load({
    ...placementRequest(writeUrl, shop.token, 'buyer'),
    connections,
    seconds,
    mayRefuse: true,
  });
  await shop.untilProjected();
  return (connections / rate) * 1000;
});

export const listOrdersGrowth = growthOf(
  'list-orders-growth',
  'list page of 20',
  async ({ readUrl, shop, customers }) => {
    const headers = { authorization: `Bearer ${shop.token}` };
    const requests = Array.from({ length: 10 }, (_, number) => ({
      method: 'GET',
      path: `/v1/orders?customerId=customer-${number * (customers / 10)}&limit=20`,
      headers,
    }));
    const { rate } = await load({ url: readUrl, requests, connections, seconds });
    return (connections / rate) * 1000;
  },
);
