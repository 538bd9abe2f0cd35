import type { StockItem } from '@waybill/shared-kernel/events/fulfilment.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import type { History } from './history.js';

/** Pieces by product and order. */
type Held = Map<string, Map<string, number>>;

/**
 * What each counted product has left is what was listed and what came and went, less what orders hold; at no revision
 * was it anything else, or less than nothing; and those hold it who should.
 */
export function checkStock(history: History): readonly string[] {
  const amiss: string[] = [];
  const held: Held = new Map();
  for (const productId of history.ids('product')) amiss.push(...follow(productId, history, held));
  for (const orderId of history.ids('order')) {
    for (const { productId, quantity } of dueTo(orderId, history)) {
      const has = held.get(productId)?.get(orderId) ?? 0;
      if (has !== quantity) amiss.push(`order ${orderId}: it holds ${has} of ${productId}, and should ${quantity}`);
    }
  }
  return amiss;
}

function follow(productId: string, history: History, held: Held): readonly string[] {
  const amiss: string[] = [];
  const ofProduct = new Map<string, number>();
  held.set(productId, ofProduct);
  let left = 0;
  for (const event of history.of('product', productId)) {
    switch (event.type) {
      case 'ProductListed':
        left = event.data.stock ?? 0;
        continue;
      case 'ProductStockChanged':
        left += event.data.change;
        break;
      case 'StockReserved':
      case 'StockReleased': {
        const { orderId, quantity } = event.data;
        const taken = event.type === 'StockReserved' ? quantity : -quantity;
        left -= taken;
        ofProduct.set(orderId, (ofProduct.get(orderId) ?? 0) + taken);
        break;
      }
      default:
        continue;
    }
    const { stock } = event.data;
    if (stock !== left) amiss.push(`product ${productId}@${event.revision}: ${left} are left, it says ${stock}`);
    if (stock < 0) amiss.push(`product ${productId}@${event.revision}: ${stock} pieces`);
  }
  return amiss;
}

/** What an order should hold of each product that it was placed with. */
function dueTo(orderId: string, history: History): readonly StockItem[] {
  const reserved = history
    .of('fulfilment', orderId)
    .flatMap((event) => (event.type === 'FulfilmentStockReserved' ? event.data.items : []));
  const keeps = !isGivenUp(orderId, history);
  return [...new Set(history.placement(orderId).lines.map(({ productId }) => productId))].map((productId) => {
    const { quantity = 0 } = reserved.find((item) => item.productId === productId) ?? {};
    return { productId, quantity: keeps ? quantity : 0 };
  });
}

/** Nobody gets its goods, and nobody else has them. */
function isGivenUp(orderId: string, history: History): boolean {
  const last = history.typesOf('order', orderId).at(-1);
  if (last === 'OrderRejected' || last === 'OrderCancelled') return true;
  return (
    last === 'OrderDeliveryFailed' && history.typesOf('delivery', deliveryIdOf(orderId)).includes('DeliveryReturned')
  );
}
