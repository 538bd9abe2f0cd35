import { join } from 'node:path';
import { readTable } from './csv-table.js';
import { hundredthsIn, idIn, oneOf, optionalTimeIn, timeIn, wholeNumberIn } from './csv-values.js';

const files = {
  orders: 'olist_orders_dataset.csv',
  items: 'olist_order_items_dataset.csv',
  payments: 'olist_order_payments_dataset.csv',
} as const;

const orderColumns = [
  'order_id',
  'customer_id',
  'order_status',
  'order_purchase_timestamp',
  'order_approved_at',
  'order_delivered_carrier_date',
  'order_delivered_customer_date',
  'order_estimated_delivery_date',
] as const;

const itemColumns = [
  'order_id',
  'order_item_id',
  'product_id',
  'seller_id',
  'shipping_limit_date',
  'price',
  'freight_value',
] as const;

const paymentColumns = [
  'order_id',
  'payment_sequential',
  'payment_type',
  'payment_installments',
  'payment_value',
] as const;

/** How far an order got, in Olist's words. */
const statuses = [
  'created',
  'approved',
  'invoiced',
  'processing',
  'shipped',
  'delivered',
  'unavailable',
  'canceled',
] as const;
export type OlistStatus = (typeof statuses)[number];

/** Money in hundredths of a real (BRL). */
export interface OlistItem {
  readonly number: number;
  readonly productId: string;
  readonly sellerId: string;
  readonly price: number;
  readonly freight: number;
}

/** One row of the orders, with its rows of the other files. Times are RFC 3339 UTC; null: the row has none. */
export interface OlistOrder {
  readonly orderId: string;
  readonly customerId: string;
  readonly status: OlistStatus;
  readonly purchasedAt: string;
  readonly approvedAt: string | null;
  readonly handedOverAt: string | null;
  readonly deliveredAt: string | null;
  readonly promisedBy: string | null;
  /** By number. */
  readonly items: readonly OlistItem[];
  /** Sum of its payments in hundredths of a real; null where there is none. */
  readonly paid: number | null;
}

/** Rows that found no place in the history, by kind. */
export type SkippedRows = {
  readonly 'items-of-unknown-orders': number;
  readonly 'payments-of-unknown-orders': number;
  /** The payments of an order that was never approved: nothing was authorised. */
  readonly 'payments-of-unapproved-orders': number;
};

export interface OlistFolder {
  readonly orders: readonly OlistOrder[];
  readonly skipped: SkippedRows;
}

type OpenOrder = Omit<OlistOrder, 'items' | 'paid'> & { items: OlistItem[]; paid: number | null };

async function readOrders(file: string): Promise<Map<string, OpenOrder>> {
  const orders = new Map<string, OpenOrder>();
  for await (const row of readTable(file, orderColumns)) {
    const orderId = idIn(row, 'order_id');
    if (orders.has(orderId)) throw row.fault('order_id', 'is there twice; an order is one row');
    orders.set(orderId, {
      orderId,
      customerId: idIn(row, 'customer_id'),
      status: oneOf(row, 'order_status', statuses),
      purchasedAt: timeIn(row, 'order_purchase_timestamp'),
      approvedAt: optionalTimeIn(row, 'order_approved_at'),
      handedOverAt: optionalTimeIn(row, 'order_delivered_carrier_date'),
      deliveredAt: optionalTimeIn(row, 'order_delivered_customer_date'),
      promisedBy: optionalTimeIn(row, 'order_estimated_delivery_date'),
      items: [],
      paid: null,
    });
  }
  return orders;
}

/** Adds the items to their orders; the number of those whose order is not there. */
async function readItems(file: string, orders: ReadonlyMap<string, OpenOrder>): Promise<number> {
  const seen = new Set<string>();
  let unknown = 0;
  for await (const row of readTable(file, itemColumns)) {
    const orderId = idIn(row, 'order_id');
    timeIn(row, 'shipping_limit_date');
    const item: OlistItem = {
      number: wholeNumberIn(row, 'order_item_id'),
      productId: idIn(row, 'product_id'),
      sellerId: idIn(row, 'seller_id'),
      price: hundredthsIn(row, 'price'),
      freight: hundredthsIn(row, 'freight_value'),
    };
    const key = `${orderId} ${item.number}`;
    if (seen.has(key)) throw row.fault('order_item_id', `is there twice in order ${orderId}`);
    seen.add(key);
    const order = orders.get(orderId);
    if (order === undefined) unknown += 1;
    else order.items.push(item);
  }
  for (const order of orders.values()) order.items.sort((one, other) => one.number - other.number);
  return unknown;
}

/** Adds the payments to their orders; the numbers of those whose order is not there, or was never approved. */
async function readPayments(file: string, orders: ReadonlyMap<string, OpenOrder>) {
  const seen = new Set<string>();
  let unknown = 0;
  let unapproved = 0;
  for await (const row of readTable(file, paymentColumns)) {
    const orderId = idIn(row, 'order_id');
    const key = `${orderId} ${wholeNumberIn(row, 'payment_sequential')}`;
    if (seen.has(key)) throw row.fault('payment_sequential', `is there twice in order ${orderId}`);
    seen.add(key);
    if (row.text('payment_type') === '') throw row.fault('payment_type', 'is empty');
    wholeNumberIn(row, 'payment_installments');
    const value = hundredthsIn(row, 'payment_value');
    const order = orders.get(orderId);
    if (order === undefined) unknown += 1;
    else if (order.approvedAt === null) unapproved += 1;
    else order.paid = (order.paid ?? 0) + value;
  }
  return { unknown, unapproved };
}

/**
 * The orders of a folder with the three files of Olist's public dataset, all of it read and checked. Holds about 1 kB
 * an order (the whole dataset has 99,441). Throws `InvalidInput` with file, line and column at the first fault.
 */
export async function readOlistFolder(folder: string): Promise<OlistFolder> {
  const orders = await readOrders(join(folder, files.orders));
  const items = await readItems(join(folder, files.items), orders);
  const payments = await readPayments(join(folder, files.payments), orders);
  return {
    orders: [...orders.values()],
    skipped: {
      'items-of-unknown-orders': items,
      'payments-of-unknown-orders': payments.unknown,
      'payments-of-unapproved-orders': payments.unapproved,
    },
  };
}
