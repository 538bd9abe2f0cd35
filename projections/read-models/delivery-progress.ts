import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';

export type DeliveryStatus = 'open' | 'assigned' | 'picked_up' | 'delivered' | 'failed' | 'returned' | 'cancelled';

/** Whether a courier has the parcel, or is to fetch it: for as long they need to know where to, and others where they are. */
export function isUnderWay(status: DeliveryStatus): boolean {
  return status === 'assigned' || status === 'picked_up' || status === 'failed';
}

/** How far a delivery got: what the orders and the deliveries both fold of its stream. Times are RFC 3339 UTC. */
export interface DeliveryProgress {
  readonly deliveryId: string;
  readonly status: DeliveryStatus;
  readonly courierId: string | null;
  readonly pickedUpAt: string | null;
  readonly deliveredAt: string | null;
  readonly failure: DeliveryFailure | null;
}

/** The last failed attempt. `next` is `retry` while the courier keeps the parcel. */
export interface DeliveryFailure {
  readonly reason: string;
  readonly at: string;
  readonly next: 'retry' | 'return';
}

/** The progress after an event of the delivery's stream; the same object where the event changes nothing of it. */
export function foldProgress(before: DeliveryProgress | undefined, event: KnownEvent): DeliveryProgress | undefined {
  switch (event.type) {
    case 'DeliveryScheduled':
      return before ?? begin(event.data.deliveryId);
    case 'DeliveryAssigned':
      return advance(before, event.data, { status: 'assigned', courierId: event.data.courierId });
    case 'DeliveryReleased':
      return advance(before, event.data, { status: 'open', courierId: null });
    case 'DeliveryPickedUp': {
      const courierId = event.data.courierId ?? before?.courierId ?? null;
      const known = { ...(before ?? begin(event.data.deliveryId)), courierId, pickedUpAt: event.occurredAt };
      return advance(known, event.data, { status: 'picked_up' });
    }
    case 'DeliveryCompleted': {
      const known = before ?? begin(event.data.deliveryId);
      return { ...known, status: 'delivered', deliveredAt: event.occurredAt };
    }
    case 'DeliveryFailed': {
      const { reason, next } = event.data;
      const failure = { reason, at: event.occurredAt, next };
      return advance(before, event.data, next === 'return' ? { status: 'failed', failure } : { failure });
    }
    case 'DeliveryReturned':
      return advance(before, event.data, { status: 'returned' });
    case 'DeliveryCancelled':
      return advance(before, event.data, { status: 'cancelled' });
    default:
      return before;
  }
}

function begin(deliveryId: string): DeliveryProgress {
  return { deliveryId, status: 'open', courierId: null, pickedUpAt: null, deliveredAt: null, failure: null };
}

/** Changes a delivery, unless it has ended: imported history may record a pick-up behind its completion. */
function advance(
  before: DeliveryProgress | undefined,
  { deliveryId }: { readonly deliveryId: string },
  change: Partial<DeliveryProgress>,
): DeliveryProgress {
  if (before === undefined) return { ...begin(deliveryId), ...change };
  const ended = before.status === 'delivered' || before.status === 'returned' || before.status === 'cancelled';
  return ended ? before : { ...before, ...change };
}
