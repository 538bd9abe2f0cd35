import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A small folder of the three files, of our own making. Rows are lines as they stand in the file. */
export interface FixtureFiles {
  readonly orders: readonly string[];
  readonly items: readonly string[];
  readonly payments: readonly string[];
}

export const orderHeader =
  '"order_id","customer_id","order_status","order_purchase_timestamp","order_approved_at","order_delivered_carrier_date","order_delivered_customer_date","order_estimated_delivery_date"';
export const itemHeader =
  '"order_id","order_item_id","product_id","seller_id","shipping_limit_date","price","freight_value"';
export const paymentHeader = '"order_id","payment_sequential","payment_type","payment_installments","payment_value"';

/** One order of every end, and one of each anomaly that a real folder has; rows of an order that is not there. */
export const smallFolder: FixtureFiles = {
  orders: [
    orderHeader,
    'delivered-1,"anna",delivered,2017-10-02 10:56:33,2017-10-02 11:07:15,2017-10-04 19:55:00,2017-10-10 21:25:13,2017-10-18 00:00:00',
    'shipped-1,bert,shipped,2017-10-03 08:00:00,2017-10-03 08:00:00,2017-10-05 12:00:00,,2017-10-20 00:00:00',
    'processing-1,carl,processing,2017-10-04 08:00:00,2017-10-04 08:30:00,,,2017-10-21 00:00:00',
    'created-1,dora,created,2017-10-05 08:00:00,,,,2017-10-22 00:00:00',
    'canceled-1,emil,canceled,2017-10-06 08:00:00,,,,2017-10-23 00:00:00',
    'canceled-2,emil,canceled,2017-10-06 09:00:00,2017-10-07 09:00:00,,,2017-10-23 00:00:00',
    'unavailable-1,fritz,unavailable,2017-10-07 08:00:00,2017-10-08 08:00:00,,,2017-10-24 00:00:00',
    'early-1,gerd,delivered,2017-10-08 12:00:00,2017-10-09 12:00:00,2017-10-07 12:00:00,2017-10-08 18:00:00,2017-10-25 00:00:00',
    'cancelled-late-1,hans,canceled,2017-10-09 12:00:00,2017-10-09 13:00:00,2017-10-10 12:00:00,2017-10-12 18:00:00,2017-10-26 00:00:00',
    'undated-1,ida,delivered,2017-10-10 12:00:00,2017-10-10 13:00:00,2017-10-11 12:00:00,,2017-10-27 00:00:00',
  ],
  items: [
    itemHeader,
    'delivered-1,2,shoe,shop,2017-10-06 11:07:15,58.90,13.29',
    'delivered-1,1,hat,shop,2017-10-06 11:07:15,9.9,0.01',
    '"elsewhere-1",1,sock,shop,2017-10-06 11:07:15,5,1',
  ],
  payments: [
    paymentHeader,
    'delivered-1,1,credit_card,8,80.10',
    'delivered-1,2,voucher,1,2',
    'created-1,1,boleto,1,10.00',
    'elsewhere-1,1,credit_card,1,6.00',
    'elsewhere-2,1,credit_card,1,7.00',
  ],
};

/** Makes the folder somewhere temporary, or in another; `remove` it. */
export function makeOlistFolder(files: FixtureFiles, within = tmpdir()): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(within, 'waybill-olist-'));
  const write = (name: string, lines: readonly string[]) => {
    writeFileSync(join(folder, name), lines.map((line) => `${line}\n`).join(''));
  };
  write('olist_orders_dataset.csv', files.orders);
  write('olist_order_items_dataset.csv', files.items);
  write('olist_order_payments_dataset.csv', files.payments);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
