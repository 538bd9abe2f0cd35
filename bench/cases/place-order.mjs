import { inScratchFolder } from '../scratch.mjs';
import { load } from '../http-load.mjs';
import { startBareExpress, startBareHttp, startWaybill } from '../process.mjs';
import { openShop } from '../shop.mjs';
import { confirmedFrom } from './confirmed.mjs';

const customer = 'customer-0';
/** Each has a share of the payment gateway. */
const customers = Array.from({ length: 50 }, (_, index) => `customer-${index}`);
const seconds = Number(process.env.WAYBILL_BENCH_SECONDS ?? 20);
const bareSeconds = 6;
/** Orders a second: more than are carried. */
const offered = Number(process.env.WAYBILL_BENCH_OFFERED ?? 1600);
/** Orders that are taken after quiet as they come. */
const burst = 2000;

const against = 'bare `express` 5 POST, same body in, as long a body out';

/** Orders carried to `confirmed`, with everything on and more offered than that, against bare requests. */
export const carryOrders = {
  name: 'carry-orders',
  what: 'orders that are carried to `confirmed`, everything on, more offered than are carried',
  against,
  unit: 'orders/s',
  atLeast: 0.1,
  async sides({ note }) {
    return {
      ours: () => withShop((waybill, shop) => carried(waybill, shop, note)),
      theirs: () => bareRate(startBareExpress),
    };
  },
};

/** Rate at which a burst is taken after a quiet time. */
export const burstOfOrders = {
  name: 'burst-of-orders',
  what: `\`POST /v1/orders\`, a burst of ${burst.toLocaleString('en')} after a quiet time, everything on`,
  against,
  unit: 'orders/s',
  atLeast: 0.5,
  async sides({ note }) {
    return {
      ours: () =>
        withShop(async (waybill, shop) => {
          await load({ ...placements(waybill.writeUrl, shop.token), amount: 500, mayRefuse: true });
          await shop.untilProjected();
          await new Promise((resolve) => setTimeout(resolve, 6_000));
          const begin = performance.now();
          const run = { ...placements(waybill.writeUrl, shop.token), amount: burst, mayRefuse: true };
          const { count, refused, p50, p99 } = await load(run);
          const spent = (performance.now() - begin) / 1000;
          note(`answered in ${p50} ms (median), ${p99} ms (99th percentile); ${refused} refused`);
          return count / spent;
        }),
      theirs: () => bareRate(startBareExpress),
    };
  },
};

/** What express itself leaves of the physical limit. */
export const bareRequests = {
  name: 'bare-requests',
  what: 'bare `express` 5 POST, for the scale of the rows above',
  against: 'bare `node:http`, the same',
  unit: 'requests/s',
  sides: async () => ({ ours: () => bareRate(startBareExpress), theirs: () => bareRate(startBareHttp) }),
};

async function withShop(work) {
  return inScratchFolder(async (folder) => {
    const waybill = await startWaybill(folder);
    try {
      const shop = await openShop(folder, waybill);
      for (const one of customers) await shop.registerCustomer(one);
      return await work({ ...waybill, folder }, shop);
    } finally {
      await waybill.stop();
    }
  });
}

async function carried(waybill, shop, note) {
  const request = placements(waybill.writeUrl, shop.token);
  await load({ ...request, amount: 500, mayRefuse: true });
  await shop.untilProjected();
  const watching = confirmedFrom(waybill.folder);
  const run = await load({ ...request, seconds, perSecond: offered, mayRefuse: true });
  const { untilLast } = await (await watching)(run.count);
  note(
    `${run.count} of ${offered * seconds} offered were taken, ${run.refused} refused; the last was confirmed after ${(untilLast / seconds).toFixed(2)} times the run (at most 1.2)`,
  );
  return run.count / untilLast;
}

async function bareRate(start) {
  const bare = await start();
  try {
    await load({ ...placementRequest(bare.url, 'none', customer), seconds: 1 });
    return (await load({ ...placementRequest(bare.url, 'none', customer), seconds: bareSeconds })).rate;
  } finally {
    await bare.stop();
  }
}

/** A request that places an order for two packets of tea, each under a key of its own. */
export function placementRequest(writeUrl, token, customerId) {
  return {
    url: `${writeUrl}/v1/orders`,
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, 'idempotency-key': '[<id>]' },
    body: JSON.stringify({
      customerId,
      lines: [{ productId: 'tea', quantity: 2 }],
      payment: { token: 'tok_approve' },
    }),
  };
}

/** The same by many customers in turn. */
function placements(writeUrl, token) {
  const { url, method, headers, body } = placementRequest(writeUrl, token, customer);
  const order = JSON.parse(body);
  let placed = 0;
  const setupRequest = (request) => {
    placed += 1;
    const customerId = customers[placed % customers.length];
    return {
      ...request,
      headers: { ...headers, 'idempotency-key': `${process.pid}-${performance.now()}-${placed}` },
      body: JSON.stringify({ ...order, customerId }),
    };
  };
  return { url, method, requests: [{ setupRequest }] };
}
