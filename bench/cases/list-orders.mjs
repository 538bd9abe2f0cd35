import { load } from '../http-load.mjs';
import { fillFolder } from '../filled-folder.mjs';
import { startBareExpress, startWaybill } from '../process.mjs';
import { lastingScratchFolder } from '../scratch.mjs';
import { tokenFor } from '../shop.mjs';

const seconds = Number(process.env.WAYBILL_BENCH_SECONDS ?? 6);
const orders = 100_000;
const customers = 1000;

export const listOrders = {
  name: 'list-orders',
  what: `\`GET /v1/orders?customerId=…\`, page of 20 of ${orders.toLocaleString('en')} orders, ${customers.toLocaleString('en')} customers in turn`,
  against: 'bare `express` answering the same bytes',
  unit: 'pages/s',
  atLeast: 0.6,
  async sides() {
    const { folder, remove } = lastingScratchFolder();
    await fillFolder(folder, { orders, customers });
    const token = await tokenFor(folder);
    const waybill = await startWaybill(folder);
    const bare = await startBareExpress();
    const headers = { authorization: `Bearer ${token}` };
    const path = (number) => `/v1/orders?customerId=customer-${number}&limit=20`;
    const sample = await fetch(waybill.readUrl + path(0), { headers });
    const page = await sample.text();
    const { items } = JSON.parse(page);
    if (items.length !== 20 || items[0].deliveryAddress.city !== 'Berlin') throw new Error(`not a page: ${page}`);
    await fetch(`${bare.url}/page`, { method: 'PUT', body: page });
    const requests = Array.from({ length: customers }, (_, number) => ({ method: 'GET', path: path(number), headers }));
    const rateOf = async (url) => (await load({ url, requests, seconds })).rate;
    return {
      ours: () => rateOf(waybill.readUrl),
      theirs: () => rateOf(bare.url),
      close: async () => {
        await waybill.stop();
        await bare.stop();
        remove();
      },
    };
  },
};
