import { randomUUID } from 'node:crypto';
import { product } from '../../command-side/dist/catalogue/product.js';
import { StockKeeper } from '../../command-side/dist/catalogue/stock-keeper.js';
import { envelopes } from '../../command-side/dist/handling/envelope.js';
import { systemRandomness, systemTimer } from '../../infra/dist/clock/system.js';
import { openSnapshottedLog, timeOfLoading } from '../snapshotted-log.mjs';

const many = Number(process.env.WAYBILL_BENCH_HOT_ORDERS ?? 300_000);
/** As many as are remembered: a product of as many orders more costs no more. */
const few = 5_000;
const inFlight = 500;
const loads = 20;

export const loadHotProduct = {
  name: 'load-hot-product',
  what: `load a product with ${many.toLocaleString('en')} orders of a day, which the process has not seen yet`,
  against: `the same with ${few.toLocaleString('en')}`,
  unit: 'ms',
  atMost: 2,
  async sides({ noteOnce }) {
    const { store, snapshots, streamsOf, close } = openSnapshottedLog('product', product);
    for (const [productId, count] of [
      ['few', few],
      ['many', many],
    ]) {
      await sell(store, streamsOf(), productId, count);
      await snapshots.settled();
    }
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const { requests } = await streamsOf().load('many');
    const held = (process.memoryUsage().heapUsed - before) / 1024 / 1024;
    noteOnce(
      `${requests.size.toLocaleString('en')} requests remembered, ${held.toFixed(1)} MiB with what loading left`,
    );
    return {
      ours: () => timeOfLoading(streamsOf, ['many'], loads),
      theirs: () => timeOfLoading(streamsOf, ['few'], loads),
      close,
    };
  },
};

/** A product of which so many orders have a piece. */
async function sell(store, products, productId, count) {
  const facts = { productId, merchantId: 'shop', name: 'Tea', unitPrice: 900, currency: 'EUR', stock: count };
  const listed = envelopes([{ type: 'ProductListed', data: facts }], productId, causeOf(), systemRandomness);
  await products.append(productId, products.unwritten(), listed);
  const keeper = new StockKeeper(products, { timer: systemTimer, randomness: systemRandomness });
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < count) {
        const orderId = `order-${(next += 1)}`;
        await keeper.reserve(orderId, [{ productId, quantity: 1 }], causeOf(), await store.head());
      }
    }),
  );
}

function causeOf() {
  const id = randomUUID();
  return { id, occurredAt: new Date().toISOString(), correlationId: id };
}
