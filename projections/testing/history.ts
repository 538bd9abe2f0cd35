import type { WaybillEvent } from '@waybill/shared-kernel/events/catalogue.js';
import { currentVersions } from '@waybill/shared-kernel/events/catalogue.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { v5 as uuidV5 } from 'uuid';

/** An event for a stream, as tests append it. */
export interface Happening {
  readonly stream: string;
  readonly event: NewEvent;
}

export interface HappeningOptions {
  /** When it happened, RFC 3339 UTC with milliseconds. */
  readonly at?: string;
  readonly imported?: true;
}

const namespace = '3b0c7a0e-0b86-4c62-9c0c-5d7a7a6d4a11';
let serial = 0;

/** Something that happened, with an id of its own. */
export function happening(
  stream: string,
  partitionKey: string,
  { type, data }: WaybillEvent,
  { at = '2026-03-01T12:00:00.000Z', imported }: HappeningOptions = {},
): Happening {
  serial += 1;
  const id = uuidV5(String(serial), namespace);
  return {
    stream,
    event: {
      id,
      type,
      schemaVersion: currentVersions[type],
      occurredAt: at,
      correlationId: id,
      causationId: id,
      partitionKey,
      ...(imported === undefined ? {} : { imported }),
      data: { ...data },
    },
  };
}

export function onOrder(orderId: string, event: WaybillEvent, options?: HappeningOptions): Happening {
  return happening(streamName('order', orderId), orderId, event, options);
}

export function onPayment(orderId: string, event: WaybillEvent, options?: HappeningOptions): Happening {
  return happening(streamName('payment', orderId), orderId, event, options);
}

export function onFulfilment(orderId: string, event: WaybillEvent, options?: HappeningOptions): Happening {
  return happening(streamName('fulfilment', orderId), orderId, event, options);
}

export function onDelivery(orderId: string, event: WaybillEvent, options?: HappeningOptions): Happening {
  return happening(streamName('delivery', deliveryIdOf(orderId)), orderId, event, options);
}

/** An order for two lamps and a shade, of two merchants. */
export function placed(orderId: string, options?: HappeningOptions): Happening {
  return onOrder(
    orderId,
    {
      type: 'OrderPlaced',
      data: {
        orderId,
        customerId: 'ada',
        lines: [
          { productId: 'P-1', merchantId: 'm1', name: 'Desk-Lamp, brass', quantity: 2, unitPrice: 4500, freight: null },
          { productId: 'P-2', merchantId: 'm2', name: 'Shade', quantity: 1, unitPrice: 1500, freight: null },
        ],
        currency: 'EUR',
        total: 10500,
        deliveryAddress: 'sealed.1.ada.YWRkcmVzcw',
        paymentToken: 'tok_approve',
        promisedBy: null,
      },
    },
    options,
  );
}

export function confirmed(orderId: string, options?: HappeningOptions): Happening {
  return onOrder(orderId, { type: 'OrderConfirmed', data: { orderId } }, options);
}

export function cancelled(orderId: string, options?: HappeningOptions): Happening {
  const data = { orderId, reason: 'changed my mind', by: 'customer', timeEstimated: false };
  return onOrder(orderId, { type: 'OrderCancelled', data }, options);
}

export function dispatched(orderId: string, options?: HappeningOptions): Happening {
  const data = { orderId, deliveryId: deliveryIdOf(orderId), courierId: 'cleo' };
  return onOrder(orderId, { type: 'OrderDispatched', data }, options);
}

export function scheduled(orderId: string, options?: HappeningOptions): Happening {
  const data = { ...of(orderId), customerId: 'ada', address: 'sealed.1.ada.YWRkcmVzcw', promisedBy: null };
  return onDelivery(orderId, { type: 'DeliveryScheduled', data }, options);
}

export function assigned(orderId: string, courierId = 'cleo', options?: HappeningOptions): Happening {
  return onDelivery(orderId, { type: 'DeliveryAssigned', data: { ...of(orderId), courierId } }, options);
}

export function pickedUp(orderId: string, options?: HappeningOptions): Happening {
  return onDelivery(orderId, { type: 'DeliveryPickedUp', data: { ...of(orderId), courierId: 'cleo' } }, options);
}

export function positionAt(orderId: string, latitude: number, at: string): Happening {
  const data = { ...of(orderId), latitude, longitude: 4.9, at };
  return onDelivery(orderId, { type: 'DeliveryPositionReported', data }, { at });
}

export function completed(orderId: string, options?: HappeningOptions): Happening {
  return onDelivery(orderId, { type: 'DeliveryCompleted', data: { ...of(orderId), proof: null } }, options);
}

/** The same without its payload: no fold of an event that looks into its payload can apply it. */
export function broken({ stream, event }: Happening): Happening {
  return { stream, event: { ...event, data: JSON.parse('null') as Happening['event']['data'] } };
}

/** A product that is listed, as the catalogue would list it. */
export function listed(productId: string, options?: HappeningOptions): Happening {
  const data = { productId, merchantId: 'm1', name: 'Desk-Lamp, brass', unitPrice: 4500, currency: 'EUR', stock: 3 };
  return happening(streamName('product', productId), productId, { type: 'ProductListed', data }, options);
}

function of(orderId: string): { readonly deliveryId: string; readonly orderId: string } {
  return { deliveryId: deliveryIdOf(orderId), orderId };
}
