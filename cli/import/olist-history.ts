import { v5 as uuidV5 } from 'uuid';
import { currentVersions, type WaybillEvent } from '@waybill/shared-kernel/events/catalogue.js';
import type { OrderLine } from '@waybill/shared-kernel/events/order.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { deliveryIdOf, streamName, type Category } from '@waybill/shared-kernel/stream.js';
import type { History, HistoryStep } from './history.js';
import type { OlistOrder } from './olist-folder.js';

const namespace = '3a1f6a0c-1d53-5f0e-8a44-7d2f6c0f9b1e';
const currency = 'BRL';

interface Happening {
  readonly occurredAt: string;
  readonly event: WaybillEvent;
}

function linesOf(order: OlistOrder): readonly OrderLine[] {
  return order.items.map((item) => ({
    productId: item.productId,
    merchantId: item.sellerId,
    name: null,
    quantity: 1,
    unitPrice: item.price,
    freight: item.freight,
  }));
}

function totalOf(order: OlistOrder): number | null {
  if (order.items.length === 0) return null;
  return order.items.reduce((sum, item) => sum + item.price + item.freight, 0);
}

/** Olist gives no time for the end of an order that was not delivered: the latest of those it gives. */
function latestTime(order: OlistOrder): string {
  const times = [order.purchasedAt, order.approvedAt, order.handedOverAt, order.deliveredAt];
  return times.reduce<string>((latest, time) => (time !== null && time > latest ? time : latest), order.purchasedAt);
}

function ofOrder(order: OlistOrder): readonly Happening[] {
  const { orderId } = order;
  const happenings: Happening[] = [
    {
      occurredAt: order.purchasedAt,
      event: {
        type: 'OrderPlaced',
        data: {
          orderId,
          customerId: order.customerId,
          lines: linesOf(order),
          currency,
          total: totalOf(order),
          deliveryAddress: null,
          paymentToken: null,
          promisedBy: order.promisedBy,
        },
      },
    },
  ];
  if (order.approvedAt !== null) {
    happenings.push({ occurredAt: order.approvedAt, event: { type: 'OrderConfirmed', data: { orderId } } });
  }
  const occurredAt = latestTime(order);
  if (order.status === 'canceled') {
    const data = { orderId, reason: 'unknown', by: 'unknown', timeEstimated: true };
    happenings.push({ occurredAt, event: { type: 'OrderCancelled', data } });
  }
  if (order.status === 'unavailable') {
    const data = { orderId, reason: 'unavailable', timeEstimated: true };
    happenings.push({ occurredAt, event: { type: 'OrderRejected', data } });
  }
  return happenings;
}

function ofPayment({ orderId, approvedAt, paid }: OlistOrder): readonly Happening[] {
  if (approvedAt === null) return [];
  const data = { orderId, amount: paid, currency };
  return [{ occurredAt: approvedAt, event: { type: 'PaymentAuthorised', data } }];
}

function ofDelivery(order: OlistOrder, deliveryId: string): readonly Happening[] {
  const { orderId, customerId, promisedBy, handedOverAt, deliveredAt } = order;
  const happenings: Happening[] = [];
  const begins = handedOverAt ?? deliveredAt;
  if (begins !== null) {
    const data = { deliveryId, orderId, customerId, address: null, promisedBy };
    happenings.push({ occurredAt: begins, event: { type: 'DeliveryScheduled', data } });
  }
  if (handedOverAt !== null) {
    const data = { deliveryId, orderId, courierId: null };
    happenings.push({ occurredAt: handedOverAt, event: { type: 'DeliveryPickedUp', data } });
  }
  if (deliveredAt !== null) {
    const data = { deliveryId, orderId, proof: null };
    happenings.push({ occurredAt: deliveredAt, event: { type: 'DeliveryCompleted', data } });
  }
  return happenings;
}

/**
 * The id holds all that the event says: the same row gives the same events, which a second run finds in the log, and
 * a row that was changed since gives others, which the log refuses.
 */
function recordable(stream: string, order: OlistOrder, cause: string, { occurredAt, event }: Happening): NewEvent {
  return {
    id: uuidV5(JSON.stringify([stream, event.type, occurredAt, event.data]), namespace),
    type: event.type,
    schemaVersion: currentVersions[event.type],
    occurredAt,
    correlationId: cause,
    causationId: cause,
    partitionKey: order.orderId,
    imported: true,
    data: { ...event.data },
  };
}

/** The steps of a stream: what happened at one moment is appended together. */
function stepsOf(stream: string, purchasedAt: string, events: readonly NewEvent[]): readonly HistoryStep[] {
  const steps: { stream: string; expectedRevision: number; events: NewEvent[]; at: string }[] = [];
  for (const [revision, event] of events.entries()) {
    const last = steps.at(-1);
    const notBefore = last?.at ?? purchasedAt;
    const at = event.occurredAt > notBefore ? event.occurredAt : notBefore;
    if (last?.at === at) last.events.push(event);
    else steps.push({ stream, expectedRevision: revision - 1, events: [event], at });
  }
  return steps;
}

/** A row as what happened to its order, its payment and its delivery: a stream each, as native orders have them. */
export function historyOf(order: OlistOrder): History {
  const { orderId } = order;
  const cause = uuidV5(orderId, namespace);
  const deliveryId = deliveryIdOf(orderId);
  const streams: readonly (readonly [Category, string, readonly Happening[]])[] = [
    ['order', orderId, ofOrder(order)],
    ['payment', orderId, ofPayment(order)],
    ['delivery', deliveryId, ofDelivery(order, deliveryId)],
  ];
  const steps = streams.flatMap(([category, id, happenings]) => {
    const stream = streamName(category, id);
    const events = happenings.map((happening) => recordable(stream, order, cause, happening));
    return stepsOf(stream, order.purchasedAt, events);
  });
  // Array.sort is stable: at one moment the order's own stream comes first.
  return { orderId, steps: steps.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0)) };
}
