import type { OrderPlaced } from '@waybill/shared-kernel/events/order.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { onDelivery, onOrder, type Happening, type HappeningOptions } from '@waybill/projections/testing/history.js';
import type { ReadSide } from './read-side.js';

export const home = { street: 'Teheran-ro 1', city: 'Seoul', postalCode: '06164' };

/** An order of `ada` for a lamp of the shop `lumen`, to her home. */
export async function place(
  side: ReadSide,
  orderId: string,
  changes: Partial<Omit<OrderPlaced, 'orderId' | 'deliveryAddress'>> = {},
  options?: HappeningOptions,
): Promise<Happening> {
  const customerId = changes.customerId ?? 'ada';
  return onOrder(
    orderId,
    {
      type: 'OrderPlaced',
      data: {
        orderId,
        customerId,
        lines: [line('lamp-1', 'lumen', 'Desk Lamp')],
        currency: 'KRW',
        total: 18000,
        paymentToken: 'tok_approve',
        promisedBy: null,
        ...changes,
        deliveryAddress: await side.sealed(customerId, home),
      },
    },
    options,
  );
}

export function line(productId: string, merchantId: string, name: string) {
  return { productId, merchantId, name, quantity: 1, unitPrice: 18000, freight: null };
}

/** The delivery of an order of `ada` to her home. */
export async function schedule(
  side: ReadSide,
  orderId: string,
  options?: HappeningOptions,
  customerId = 'ada',
): Promise<Happening> {
  const data = {
    deliveryId: deliveryIdOf(orderId),
    orderId,
    customerId,
    address: await side.sealed(customerId, home),
    promisedBy: null,
  };
  return onDelivery(orderId, { type: 'DeliveryScheduled', data }, options);
}
