import type { CustomerEvent } from './customer.js';
import type { DeliveryEvent } from './delivery.js';
import type { FulfilmentEvent, SuspensionEvent } from './fulfilment.js';
import type { OrderEvent } from './order.js';
import type { PaymentEvent } from './payment.js';
import type { ProductEvent } from './product.js';
import type { RequestEvent } from './request.js';

export type WaybillEvent =
  | OrderEvent
  | DeliveryEvent
  | ProductEvent
  | CustomerEvent
  | PaymentEvent
  | FulfilmentEvent
  | SuspensionEvent
  | RequestEvent;

export type EventType = WaybillEvent['type'];

/** Every event type and the version of its payload that this code writes. */
export const currentVersions: Readonly<Record<EventType, number>> = {
  OrderPlaced: 1,
  OrderConfirmed: 1,
  OrderRejected: 1,
  OrderCancelled: 2,
  OrderDispatched: 1,
  OrderDelivered: 1,
  OrderDeliveryFailed: 1,
  DeliveryScheduled: 1,
  DeliveryAssigned: 1,
  DeliveryReleased: 1,
  DeliveryPickedUp: 1,
  DeliveryPositionReported: 1,
  DeliveryCompleted: 1,
  DeliveryFailed: 1,
  DeliveryReturned: 1,
  DeliveryCancelled: 1,
  ProductListed: 1,
  ProductPriceChanged: 1,
  ProductStockChanged: 1,
  ProductWithdrawn: 1,
  StockReserved: 1,
  StockReleased: 1,
  CustomerRegistered: 1,
  CustomerAddressChanged: 1,
  CustomerErased: 1,
  PaymentAuthorised: 1,
  PaymentDeclined: 1,
  PaymentCaptured: 1,
  PaymentVoided: 1,
  PaymentRefunded: 1,
  FulfilmentStarted: 2,
  FulfilmentStockReserved: 1,
  FulfilmentStockRefused: 1,
  FulfilmentStockReleased: 1,
  FulfilmentPaymentRequested: 1,
  FulfilmentPaymentSettled: 1,
  FulfilmentDeliveryRequested: 2,
  FulfilmentDispatched: 1,
  FulfilmentDeadlineMissed: 1,
  FulfilmentCancelled: 1,
  FulfilmentFailed: 1,
  FulfilmentCompleted: 1,
  FulfilmentRetryRequested: 1,
  FulfilmentCompensationRequested: 1,
  FulfilmentSuspended: 1,
  FulfilmentResumed: 1,
  RequestDirected: 2,
};
