import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { AggregateStreams } from '../../command-side/dist/handling/aggregate-streams.js';
import { product } from '../../command-side/dist/catalogue/product.js';
import { StockKeeper } from '../../command-side/dist/catalogue/stock-keeper.js';
import { envelopes } from '../../command-side/dist/handling/envelope.js';
import { systemClock, systemRandomness, systemTimer } from '../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { inScratchFolder } from '../scratch.mjs';

const inFlight = 64;
const many = 10_000;
const few = 500;
const dependencies = { timer: systemTimer, randomness: systemRandomness };

/** What one writer for a hot stream is worth: the stock alone, without the rest of fulfilment. */
export const hotStock = {
  name: 'hot-stock',
  what: `reservations of one product, ${inFlight} in flight, by one writer`,
  against: 'the same, each order on its own and again where it conflicts',
  unit: 'orders/s',
  atLeast: 1,
  async sides({ note }) {
    return {
      ours: () => inScratchFolder(async (folder) => (await reserve(folder, many, writers(1))).rate),
      theirs: () =>
        inScratchFolder(async (folder) => {
          const { rate, lost, gaveUp } = await reserve(folder, few, (productsOf) => {
            const products = productsOf();
            return () => new StockKeeper(products, dependencies);
          });
          const four = await inScratchFolder((another) => reserve(another, many, writers(4)));
          note(
            `on its own an order lost ${(lost / few).toFixed(1)} appends, eight in a row ${(gaveUp / few).toFixed(1)} times; ` +
              `by a writer in each of four processes ${Math.round(four.rate)} orders/s, ${four.lost} of ${four.appends} appends lost`,
          );
          return rate;
        }),
    };
  },
};

/** So many processes as far as the log is concerned, which orders go to in turn. */
const writers = (count) => (productsOf) => {
  const keepers = Array.from({ length: count }, () => new StockKeeper(productsOf(), dependencies));
  let turn = 0;
  return () => keepers[(turn += 1) % count];
};

/** Has so many orders reserve a piece, each until it has it. */
async function reserve(folder, count, keepersOn) {
  const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock: systemClock });
  let appends = 0;
  let lost = 0;
  let gaveUp = 0;
  const counting = {
    readStream: (...asked) => store.readStream(...asked),
    append: (...asked) => {
      appends += 1;
      return store.append(...asked).catch((error) => {
        if (error.kind === 'wrong-expected-revision') lost += 1;
        throw error;
      });
    },
  };
  const productsOf = () => new AggregateStreams(counting, 'product', product);
  const facts = { productId: 'tea', merchantId: 'shop', name: 'Tea', unitPrice: 900, currency: 'EUR', stock: count };
  const listed = envelopes([{ type: 'ProductListed', data: facts }], 'tea', causeOf(), systemRandomness);
  await productsOf().append('tea', productsOf().unwritten(), listed);
  const keeperFor = keepersOn(productsOf);

  let next = 0;
  const buy = async (orderId) => {
    try {
      await keeperFor().reserve(orderId, [{ productId: 'tea', quantity: 1 }], causeOf());
    } catch (error) {
      if (error.kind !== 'concurrent-request') throw error;
      gaveUp += 1;
      await buy(orderId);
    }
  };
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < count) await buy(`order-${(next += 1)}`);
    }),
  );
  const rate = count / ((performance.now() - begin) / 1000);
  await store.close();
  return { rate, appends, lost, gaveUp };
}

function causeOf() {
  const id = randomUUID();
  return { id, occurredAt: new Date().toISOString(), correlationId: id };
}
