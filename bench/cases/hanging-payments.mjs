import { dataFiles } from '../../infra/dist/process/config.js';
import { systemClock } from '../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { inScratchFolder } from '../scratch.mjs';
import { startWaybill } from '../process.mjs';
import { openShop } from '../shop.mjs';

const hanging = 60;
const orders = 500;
const customers = 50;

/** Confirmed orders a second, beside one customer whose payments get no answer. */
export const hangingPayments = {
  name: 'hanging-payments',
  what: `orders of ${customers} customers confirmed beside ${hanging} of another whose payments hang`,
  against: 'the same without those',
  unit: 'orders/s',
  atLeast: 0.8,
  async sides() {
    return {
      ours: () => inScratchFolder((folder) => confirmedRate(folder, hanging)),
      theirs: () => inScratchFolder((folder) => confirmedRate(folder, 0)),
    };
  },
};

async function confirmedRate(folder, hang) {
  const waybill = await startWaybill(folder);
  const store = openSqliteEventStore(dataFiles(folder).log, { clock: systemClock });
  try {
    const shop = await openShop(folder, waybill);
    const ids = Array.from({ length: customers }, (_, index) => `customer-${index}`);
    for (const customerId of ['hangs', ...ids]) await shop.registerCustomer(customerId);
    const place = (customerId, token, key) => placeOrder(waybill.writeUrl, shop.token, customerId, token, key);
    await Promise.all(Array.from({ length: hang }, (_, nth) => place('hangs', 'tok_hang', `hangs-${nth}`)));
    await shop.untilProjected();

    const before = await store.head();
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: orders }, (_, nth) => place(ids[nth % customers], 'tok_approve', `order-${nth}`)),
    );
    await untilConfirmed(store, before);
    return orders / ((performance.now() - begun) / 1000);
  } finally {
    await store.close();
    await waybill.stop();
  }
}

async function placeOrder(writeUrl, token, customerId, paymentToken, key) {
  const response = await fetch(`${writeUrl}/v1/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, 'idempotency-key': key },
    body: JSON.stringify({
      customerId,
      lines: [{ productId: 'tea', quantity: 1 }],
      payment: { token: paymentToken },
    }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

async function untilConfirmed(store, after) {
  let [from, confirmed] = [after, 0];
  while (confirmed < orders) {
    const { events, through } = await store.readAll(from, 1_000);
    if (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    confirmed += events.filter(({ type }) => type === 'OrderConfirmed').length;
    from = through;
  }
}
