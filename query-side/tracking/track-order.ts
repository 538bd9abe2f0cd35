import { isUnderWay } from '@waybill/projections/read-models/delivery-progress.js';
import type { DeliveryView, Position } from '@waybill/projections/read-models/deliveries.js';
import type { OrderView } from '@waybill/projections/read-models/orders.js';
import { estimatedArrival } from './estimated-arrival.js';

/** Where an order is, as the contract shows it, without `freshness`. Nobody's personal data is in it. */
export interface Tracking {
  readonly orderId: string;
  readonly status: OrderView['status'];
  /** Who brings it, or brought it. */
  readonly courierId?: string;
  /** Where that courier was last, while they have the parcel or are to fetch it. */
  readonly position?: Position & { readonly ageSeconds: number };
  /** RFC 3339 UTC. */
  readonly estimatedArrival?: string;
}

/** What else is known when somebody tracks an order. */
export interface Surroundings {
  /** Its delivery, which may have been projected sooner or later than the order. */
  readonly delivery: DeliveryView | undefined;
  /** How long it usually takes from pick-up to door, milliseconds. */
  readonly usual: number | undefined;
  /** Milliseconds. */
  readonly now: number;
}

export function trackOrder(order: OrderView, { delivery, usual, now }: Surroundings): Tracking {
  const { orderId, status } = order;
  const brought = status === 'cancelled' || status === 'rejected' ? undefined : order.delivery;
  const courierId = brought?.courierId;
  // Where a parcel ended is where somebody lives: once it is there, nobody who tracks it needs to know.
  const isOnTheWay = [brought, delivery].every((known) => known !== undefined && isUnderWay(known.status));
  const position = isOnTheWay && delivery?.courierId === courierId ? delivery?.position : undefined;
  const arrival = estimatedArrival(order, usual, now);
  return {
    orderId,
    status,
    ...(courierId !== undefined && { courierId }),
    ...(position !== undefined && { position: { ...position, ageSeconds: secondsSince(position.at, now) } }),
    ...(arrival !== undefined && { estimatedArrival: arrival }),
  };
}

/** Whole seconds; 0 where the courier's clock is ahead of ours. */
function secondsSince(time: string, now: number): number {
  return Math.max(0, Math.floor((now - Date.parse(time)) / 1000));
}
