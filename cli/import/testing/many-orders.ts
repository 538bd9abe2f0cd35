import { itemHeader, orderHeader, paymentHeader, type FixtureFiles } from './olist-folder.js';

function time(minutes: number): string {
  return new Date(Date.UTC(2017, 0, 1) + minutes * 60_000).toISOString().slice(0, 19).replace('T', ' ');
}

/** A folder of so many orders, six events each, an hour apart and delivered within three days. */
export function manyOrders(count: number): FixtureFiles {
  const orders = Array.from({ length: count }, (_, index) => {
    const at = index * 60;
    const times = [at, at + 20, at + 1440, at + 4320, at + 10_000].map(time);
    return `order-${index},customer-${index % 100},delivered,${times.join(',')}`;
  });
  const items = Array.from({ length: count }, (_, index) => `order-${index},1,hat,shop,${time(index)},10.00,1.50`);
  const payments = Array.from({ length: count }, (_, index) => `order-${index},1,boleto,1,11.50`);
  return {
    orders: [orderHeader, ...orders],
    items: [itemHeader, ...items],
    payments: [paymentHeader, ...payments],
  };
}
