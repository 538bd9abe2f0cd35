import { v5 as uuidV5 } from '../node_modules/uuid/dist-node/index.js';
import { currentVersions } from '../shared-kernel/dist/events/catalogue.js';
import { deliveryIdOf } from '../shared-kernel/dist/stream.js';
import { orderPlaced } from './sample-events.mjs';

const namespace = '6f0b2a5e-7a0f-4f7c-9a55-0c1d2e3f4a5b';
/** Events of an order on its way to an open delivery, fulfilment's own included. */
export const eventsPerOrder = 5;

/** The id of the `number`th order. */
export function orderIdOf(number) {
  return uuidV5(String(number), namespace);
}

/**
 * Appends the history of so many orders, as the write API and fulfilment record it: placed, confirmed, a delivery
 * scheduled. Customers take turns; `addressOf` gives the sealed address of one, where it must be readable.
 */
export async function fillLog(store, { orders, customers = 1000, from = 0, addressOf }) {
  const inFlight = 500;
  let next = from;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let number = next++; number < from + orders; number = next++) {
        await appendOrder(store, number, `customer-${number % customers}`, addressOf);
      }
    }),
  );
}

async function appendOrder(store, number, customerId, addressOf) {
  const orderId = orderIdOf(number);
  const occurredAt = new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString();
  const placed = orderPlaced(orderId, { customerId, occurredAt, deliveryAddress: addressOf?.(customerId) });
  const deliveryId = deliveryIdOf(orderId);
  const later = (index, type, data) => ({
    id: uuidV5(`${orderId}/${index}`, namespace),
    type,
    schemaVersion: currentVersions[type],
    occurredAt,
    correlationId: placed.correlationId,
    causationId: placed.id,
    partitionKey: orderId,
    data: { orderId, ...data },
  });
  const address = placed.data.deliveryAddress;
  await store.append(`order-${orderId}`, -1, [placed, later(1, 'OrderConfirmed', {})]);
  await store.append(`fulfilment-${orderId}`, -1, [
    later(2, 'FulfilmentStarted', { customerId }),
    later(3, 'FulfilmentDeliveryRequested', { deliveryId }),
  ]);
  await store.append(`delivery-${deliveryId}`, -1, [
    later(4, 'DeliveryScheduled', { deliveryId, customerId, address, promisedBy: null }),
  ]);
}
