import { inScratchFolder } from '../scratch.mjs';
import { load } from '../http-load.mjs';
import { startBareExpress, startWaybill } from '../process.mjs';
import { openShop } from '../shop.mjs';

const customer = 'customer-0';
const seconds = Number(process.env.WAYBILL_BENCH_SECONDS ?? 6);

/** Rate of `POST /v1/orders` with everything on, against an express application that only parses and answers. */
export const placeOrder = {
  name: 'place-order',
  what: '`POST /v1/orders`, everything on',
  against: 'bare `express` 5 POST, same body in, as long a body out',
  unit: 'orders/s',
  atLeast: 0.5,
  async sides({ note }) {
    return {
      ours: () => inScratchFolder((folder) => oneRun(folder, note)),
      theirs: async () => {
        const bare = await startBareExpress();
        try {
          await load({ ...placementRequest(bare.url, 'none', customer), seconds: 1 });
          return (await load({ ...placementRequest(bare.url, 'none', customer), seconds })).rate;
        } finally {
          await bare.stop();
        }
      },
    };
  },
};

async function oneRun(folder, note) {
  const waybill = await startWaybill(folder);
  try {
    const shop = await openShop(folder, waybill);
    await shop.registerCustomer(customer);
    await load({ ...placementRequest(waybill.writeUrl, shop.token, customer), seconds: 1 });
    await shop.untilProjected();
    const begin = performance.now();
    const result = await load({ ...placementRequest(waybill.writeUrl, shop.token, customer), seconds });
    const ran = performance.now() - begin;
    await shop.untilProjected();
    const projected = performance.now() - begin;
    note(
      `all projected after ${(projected / ran).toFixed(2)} times the run (at most 1.5); answered in ${result.p50} ms (median), ${result.p99} ms (99th percentile)`,
    );
    return result.rate;
  } finally {
    await waybill.stop();
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
