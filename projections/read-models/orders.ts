import type { OrderLine, OrderPlaced } from '@waybill/shared-kernel/events/order.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Money } from '@waybill/shared-kernel/money.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';
import type { Fields, Share } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import {
  foldProgress,
  isUnderWay,
  type DeliveryFailure,
  type DeliveryProgress,
  type DeliveryStatus,
} from './delivery-progress.js';
import { wordOfId, wordsOf } from './words.js';

export type OrderStatus =
  'placed' | 'confirmed' | 'rejected' | 'cancelled' | 'out_for_delivery' | 'delivered' | 'delivery_failed';
export type PaymentStatus = 'none' | 'pending' | 'authorised' | 'declined' | 'captured' | 'voided' | 'refunded';

/** What the order's own stream says; each is null until it happened. */
interface OrderSection {
  readonly placed: Placed | null;
  readonly confirmedAt: string | null;
  readonly rejection: { readonly reason: string; readonly at: string; readonly timeEstimated: boolean } | null;
  readonly cancellation: Cancellation | null;
  readonly dispatchedAt: string | null;
  readonly deliveredAt: string | null;
  readonly failedAt: string | null;
}

interface Placed extends Omit<OrderPlaced, 'paymentToken'> {
  readonly placedAt: string;
  readonly imported: boolean;
}

interface Cancellation {
  readonly reason: string;
  /** Role in which it was cancelled, or `unknown` in imported history. */
  readonly by: string;
  readonly at: string;
  readonly timeEstimated: boolean;
}

interface PaymentSection {
  readonly status: Exclude<PaymentStatus, 'none' | 'pending'>;
}

interface OrderSections {
  readonly order?: OrderSection;
  readonly payment?: PaymentSection;
  readonly delivery?: DeliveryProgress;
}

const untouched: OrderSection = {
  placed: null,
  confirmedAt: null,
  rejection: null,
  cancellation: null,
  dispatchedAt: null,
  deliveredAt: null,
  failedAt: null,
};

function foldOrder(section: OrderSection, event: KnownEvent): OrderSection {
  const at = event.occurredAt;
  switch (event.type) {
    case 'OrderPlaced': {
      const { orderId, customerId, lines, currency, total, deliveryAddress, promisedBy } = event.data;
      const imported = event.imported === true;
      const placed = {
        orderId,
        customerId,
        lines,
        currency,
        total,
        deliveryAddress,
        promisedBy,
        placedAt: at,
        imported,
      };
      return { ...section, placed };
    }
    case 'OrderConfirmed':
      return { ...section, confirmedAt: at };
    case 'OrderRejected': {
      const { reason, timeEstimated } = event.data;
      return { ...section, rejection: { reason, at, timeEstimated } };
    }
    case 'OrderCancelled': {
      const { reason, by, timeEstimated } = event.data;
      return { ...section, cancellation: { reason, by, at, timeEstimated } };
    }
    case 'OrderDispatched':
      return { ...section, dispatchedAt: at };
    case 'OrderDelivered':
      return { ...section, deliveredAt: at };
    case 'OrderDeliveryFailed':
      return { ...section, failedAt: at };
    default:
      return section;
  }
}

function fold(section: unknown, event: KnownEvent): unknown {
  if (event.type.startsWith('Delivery')) return foldProgress(section as DeliveryProgress | undefined, event);
  if (event.type.startsWith('Payment')) return foldPayment(section as PaymentSection | undefined, event);
  return foldOrder((section as OrderSection | undefined) ?? untouched, event);
}

function foldPayment(section: PaymentSection | undefined, event: KnownEvent): PaymentSection | undefined {
  switch (event.type) {
    case 'PaymentAuthorised':
      return { status: 'authorised' };
    case 'PaymentDeclined':
      return { status: 'declined' };
    case 'PaymentCaptured':
      return { status: 'captured' };
    case 'PaymentVoided':
      return { status: 'voided' };
    case 'PaymentRefunded':
      return { status: 'refunded' };
    default:
      return section;
  }
}

/**
 * How the payment stands. While nothing is known of it, it is pending where the order waits for it, and else none: in
 * imported history, where nothing costs anything, and where the order came to an end before anything was authorised.
 */
function paymentStatusOf(
  payment: PaymentSection | undefined,
  { imported, total }: Placed,
  status: OrderStatus,
): PaymentStatus {
  if (payment !== undefined) return payment.status;
  const waits = status === 'placed' && !imported && total !== null && total > 0;
  return waits ? 'pending' : 'none';
}

/** The strongest of what happened, whatever the order in which it did. */
function statusOf(order: OrderSection, delivery: DeliveryProgress | undefined): OrderStatus {
  if (order.cancellation !== null) return 'cancelled';
  if (order.rejection !== null) return 'rejected';
  if (deliveredAt(order, delivery) !== null) return 'delivered';
  if (order.failedAt !== null || delivery?.status === 'failed' || delivery?.status === 'returned') {
    return 'delivery_failed';
  }
  if (order.dispatchedAt !== null || delivery?.status === 'picked_up') return 'out_for_delivery';
  return order.confirmedAt === null ? 'placed' : 'confirmed';
}

function deliveredAt(order: OrderSection, delivery: DeliveryProgress | undefined): string | null {
  return delivery?.deliveredAt ?? order.deliveredAt;
}

const nowhere: Fields = {
  single: {
    customerId: null,
    status: null,
    placedAt: null,
  },
  multiple: { merchantId: [], merchantStatus: [], word: [] },
  shares: [],
};

/** An order that was not placed yet, as its streams came, is in no list and no report. */
function fields(sections: Sections): Fields {
  const { order, delivery } = sections as OrderSections;
  const placed = order?.placed ?? null;
  if (order === undefined || placed === null) return nowhere;
  const status = statusOf(order, delivery);
  const merchants = merchantsOf(placed.lines);
  return {
    single: {
      customerId: placed.customerId,
      status,
      placedAt: placed.placedAt,
    },
    multiple: {
      merchantId: merchants,
      merchantStatus: merchants.map((merchantId) => merchantStatus(merchantId, status)),
      word: searchable(placed, delivery),
    },
    shares: sharesOf(order, placed, delivery),
  };
}

/** What the daily report counts; an order counts on each day on which something became of it. */
export type ReportCount = 'placed' | 'cancelled' | 'rejected' | 'delivered';

/** Of everybody's orders in the sums of the report. */
export const everybody = '';

/** An order is counted once for everybody, with its total, and once for each of its merchants, with their own lines. */
function sharesOf(order: OrderSection, placed: Placed, delivery: DeliveryProgress | undefined): readonly Share[] {
  const times: Readonly<Record<ReportCount, string | null>> = {
    placed: placed.placedAt,
    cancelled: order.cancellation?.at ?? null,
    rejected: order.rejection?.at ?? null,
    delivered: deliveredAt(order, delivery),
  };
  const amounts = [[everybody, placed.total ?? 0] as const, ...amountsByMerchant(placed.lines)];
  return Object.entries(times).flatMap(([name, time]) =>
    time === null
      ? []
      : amounts.map(([owner, amount]) => ({ owner, day: dayOf(time), unit: placed.currency, name, amount })),
  );
}

function amountsByMerchant(lines: readonly OrderLine[]): ReadonlyMap<string, number> {
  const amounts = new Map<string, number>();
  for (const { merchantId, quantity, unitPrice, freight } of lines) {
    if (merchantId === null) continue;
    amounts.set(merchantId, (amounts.get(merchantId) ?? 0) + quantity * unitPrice + (freight ?? 0));
  }
  return amounts;
}

/** A merchant with the status of an order, as one value: no status has a space in it. */
export function merchantStatus(merchantId: string, status: OrderStatus): string {
  return `${status} ${merchantId}`;
}

/** The UTC day of a time, `YYYY-MM-DD`. */
function dayOf(time: string): string {
  return time.slice(0, 10);
}

function merchantsOf(lines: readonly OrderLine[]): readonly string[] {
  const merchants = new Set<string>();
  for (const { merchantId } of lines) if (merchantId !== null) merchants.add(merchantId);
  return [...merchants];
}

/** Ids of order, products and delivery and the words of product names; never personal data. */
function searchable(placed: Placed, delivery: DeliveryProgress | undefined): readonly string[] {
  const words = new Set([wordOfId(placed.orderId)]);
  if (delivery !== undefined) words.add(wordOfId(delivery.deliveryId));
  for (const line of placed.lines) {
    words.add(wordOfId(line.productId));
    if (line.name !== null) for (const word of wordsOf(line.name)) words.add(word);
  }
  return [...words];
}

/**
 * Orders by id: the streams of an order, its payment and its delivery. Lists come newest first; the
 * sums are those of the daily report.
 */
export const orders: Projection = {
  collection: {
    name: 'orders',
    version: 2,
    fields: {
      customerId: 'text',
      status: 'text',
      placedAt: 'text',
    },
    multiple: ['merchantId', 'merchantStatus'],
    searched: ['word'],
    order: 'placedAt',
    indexes: [[], ['customerId'], ['status'], ['customerId', 'status']],
    sums: true,
  },
  categories: ['order', 'payment', 'delivery'],
  key: (event) => event.partitionKey,
  streams: (orderId) => [
    streamName('order', orderId),
    streamName('payment', orderId),
    streamName('delivery', deliveryIdOf(orderId)),
  ],
  fold,
  fields,
};

/** An order as the contract shows it, without `freshness`; its address still sealed. Times are RFC 3339 UTC. */
export interface OrderView {
  readonly orderId: string;
  readonly customerId: string;
  readonly status: OrderStatus;
  readonly lines: readonly OrderLineView[];
  /** Null where imported history does not know the lines. */
  readonly total: Money | null;
  readonly placedAt: string;
  readonly promisedBy?: string;
  readonly confirmedAt?: string;
  readonly rejection?: { readonly reason: string; readonly at: string; readonly timeEstimated?: true };
  readonly cancellation?: Omit<Cancellation, 'timeEstimated'> & { readonly timeEstimated?: true };
  readonly payment: { readonly status: PaymentStatus };
  readonly delivery?: OrderDeliveryView;
  readonly deliveryAddress: Sealed | null;
  /** Revision of the order's own stream. */
  readonly revision: number;
  readonly imported?: true;
}

export interface OrderLineView {
  readonly productId: string;
  /** Null in imported history. */
  readonly name: string | null;
  readonly quantity: number;
  readonly unitPrice: Money;
  /** Of the line; only imported history has it. */
  readonly freight?: Money;
}

export interface OrderDeliveryView {
  readonly deliveryId: string;
  readonly status: DeliveryStatus;
  readonly courierId?: string;
  readonly pickedUpAt?: string;
  readonly deliveredAt?: string;
  readonly failure?: DeliveryFailure;
}

/** The order of a document, `undefined` where its `OrderPlaced` is not in it. */
export function orderView(sections: Sections, revisions: Revisions): OrderView | undefined {
  const { order, payment, delivery } = sections as OrderSections;
  const placed = order?.placed ?? null;
  if (order === undefined || placed === null) return undefined;
  const { currency, total, promisedBy } = placed;
  const status = statusOf(order, delivery);
  return {
    orderId: placed.orderId,
    customerId: placed.customerId,
    status,
    lines: placed.lines.map((line) => lineView(line, currency)),
    total: total === null ? null : { amount: total, currency },
    placedAt: placed.placedAt,
    ...(promisedBy !== null && { promisedBy }),
    ...(order.confirmedAt !== null && { confirmedAt: order.confirmedAt }),
    ...(order.rejection !== null && { rejection: withEstimate(order.rejection) }),
    ...(order.cancellation !== null && { cancellation: withEstimate(order.cancellation) }),
    payment: { status: paymentStatusOf(payment, placed, status) },
    ...(delivery !== undefined && { delivery: deliveryOf(delivery) }),
    deliveryAddress: placed.deliveryAddress,
    revision: revisions.order ?? -1,
    ...(placed.imported && { imported: true }),
  };
}

/** Whose an order is, for deciding who may see it: empty where it does not exist. */
export interface OrderParties {
  readonly customerId?: string;
  readonly merchantIds: readonly string[];
  /** Who brings it, or brought it. */
  readonly courierId?: string;
  /** Whether that courier has the parcel, or is to fetch it. */
  readonly isUnderWay?: true;
}

export function partiesOf(sections: Sections): OrderParties {
  const { order, delivery } = sections as OrderSections;
  const placed = order?.placed ?? null;
  if (placed === null) return { merchantIds: [] };
  const courierId = delivery?.courierId ?? null;
  return {
    customerId: placed.customerId,
    merchantIds: merchantsOf(placed.lines),
    ...(courierId !== null && { courierId }),
    ...(delivery !== undefined && isUnderWay(delivery.status) && { isUnderWay: true }),
  };
}

function lineView({ productId, name, quantity, unitPrice, freight }: OrderLine, currency: string): OrderLineView {
  return {
    productId,
    name,
    quantity,
    unitPrice: { amount: unitPrice, currency },
    ...(freight !== null && { freight: { amount: freight, currency } }),
  };
}

function withEstimate<End extends { readonly timeEstimated: boolean }>({ timeEstimated, ...end }: End) {
  return { ...end, ...(timeEstimated && { timeEstimated: true as const }) };
}

function deliveryOf(progress: DeliveryProgress): OrderDeliveryView {
  const { deliveryId, status, courierId, pickedUpAt, deliveredAt: completedAt, failure } = progress;
  return {
    deliveryId,
    status,
    ...(courierId !== null && { courierId }),
    ...(pickedUpAt !== null && { pickedUpAt }),
    ...(completedAt !== null && { deliveredAt: completedAt }),
    ...(failure !== null && { failure }),
  };
}
