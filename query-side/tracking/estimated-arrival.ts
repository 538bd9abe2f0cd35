import type { DeliveryView } from '@waybill/projections/read-models/deliveries.js';
import type { OrderView } from '@waybill/projections/read-models/orders.js';

/** How many deliveries tell how long it takes, and how few are too few to tell. */
export const recent = 20;
const fewest = 3;

/**
 * How long it usually takes from pick-up to door, milliseconds: the median of these deliveries, of those that a courier
 * brought at the first attempt. `undefined`: they are too few. Imported history does not say who brought it.
 */
export function usualTime(delivered: readonly DeliveryView[]): number | undefined {
  const times: number[] = [];
  for (const { courierId, pickedUpAt, deliveredAt, failure } of delivered) {
    if (courierId === undefined || pickedUpAt === undefined || deliveredAt === undefined || failure !== undefined)
      continue;
    times.push(Date.parse(deliveredAt) - Date.parse(pickedUpAt));
  }
  return times.length < fewest ? undefined : times.sort((one, other) => one - other)[Math.floor(times.length / 2)];
}

/**
 * When an order is likely to be there, RFC 3339 UTC: once it was picked up, after as long as it usually takes; before
 * that, after an attempt that failed, and when it takes longer than usual, by when it was promised. Nobody knows where
 * an address is, so distance says nothing. `undefined` where nothing is known, that time is past, or it will not come.
 * `now`: milliseconds.
 */
export function estimatedArrival(order: OrderView, usual: number | undefined, now: number): string | undefined {
  if (order.imported === true || !isToCome(order.status)) return undefined;
  const { pickedUpAt, failure } = order.delivery ?? {};
  const isFirstAttempt = pickedUpAt !== undefined && failure === undefined;
  const byPace = isFirstAttempt && usual !== undefined ? Date.parse(pickedUpAt) + usual : undefined;
  const byPromise = order.promisedBy === undefined ? undefined : Date.parse(order.promisedBy);
  const likely = [byPace, byPromise].find((time) => time !== undefined && time > now);
  return likely === undefined ? undefined : new Date(likely).toISOString();
}

function isToCome(status: OrderView['status']): boolean {
  return status === 'placed' || status === 'confirmed' || status === 'out_for_delivery';
}
