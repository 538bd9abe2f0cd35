import { orderHeader, smallFolder, type FixtureFiles } from './olist-folder.js';

/** A folder with one fault, and what must be said about it. */
export interface FaultyFolder {
  readonly name: string;
  readonly files: FixtureFiles;
  readonly says: string;
}

type Table = keyof FixtureFiles;

function withLine(name: string, table: Table, line: number, text: string, says: string): FaultyFolder {
  const lines = smallFolder[table].with(line - 1, text);
  return { name, files: { ...smallFolder, [table]: lines }, says };
}

const order = 'x-1,anna,created,2017-10-02 10:56:33,,,,';

export const faultyFolders: readonly FaultyFolder[] = [
  withLine(
    'a renamed column',
    'orders',
    1,
    orderHeader.replace('order_status', 'status'),
    'olist_orders_dataset.csv, line 1, column 3: this column is "status" where "order_status" is expected.',
  ),
  withLine(
    'a missing column',
    'payments',
    1,
    'order_id,payment_sequential,payment_type,payment_installments',
    'olist_order_payments_dataset.csv, line 1, column 5: this column is missing where "payment_value" is expected.',
  ),
  withLine(
    'a column too many',
    'orders',
    1,
    `${orderHeader},colour`,
    'olist_orders_dataset.csv, line 1, column 9: there is a column "colour" too many; expected are order_id, customer_id, order_status, order_purchase_timestamp, order_approved_at, order_delivered_carrier_date, order_delivered_customer_date, order_estimated_delivery_date.',
  ),
  {
    name: 'an empty file',
    files: { ...smallFolder, items: [] },
    says: 'olist_order_items_dataset.csv, line 1, column 1: this column is missing where "order_id" is expected.',
  },
  withLine(
    'a line with too few columns',
    'orders',
    3,
    'x-1,anna,created',
    'olist_orders_dataset.csv, line 3, column 4: this line has 3 columns where 8 are expected.',
  ),
  withLine(
    'a line with too many columns',
    'orders',
    3,
    `${order},more`,
    'olist_orders_dataset.csv, line 3, column 9: this line has 9 columns where 8 are expected.',
  ),
  withLine(
    'a quote that is never closed',
    'orders',
    4,
    `"${order}`,
    'olist_orders_dataset.csv, line 4, column order_id: a quote opens and is never closed.',
  ),
  withLine(
    'a quote inside a value',
    'items',
    2,
    'delivered-1,2,sh"oe,shop,2017-10-06 11:07:15,58.90,13.29',
    'olist_order_items_dataset.csv, line 2, column product_id: a quote stands inside a value that is not quoted as a whole; double it and quote the value.',
  ),
  withLine(
    'text after a closing quote',
    'items',
    3,
    'delivered-1,1,"hat"s,shop,2017-10-06 11:07:15,9.9,0.01',
    'olist_order_items_dataset.csv, line 3, column product_id: a quote stands inside a value that is not quoted as a whole; double it and quote the value.',
  ),
  withLine(
    'a day that does not exist',
    'orders',
    2,
    'x-1,anna,created,2017-02-30 10:56:33,,,,',
    'olist_orders_dataset.csv, line 2, column order_purchase_timestamp: "2017-02-30 10:56:33" is no date; expected is YYYY-MM-DD HH:MM:SS.',
  ),
  withLine(
    'a date in another form',
    'orders',
    5,
    'x-1,anna,delivered,2017-10-02 10:56:33,,,10/10/2017,',
    'olist_orders_dataset.csv, line 5, column order_delivered_customer_date: "10/10/2017" is no date; expected is YYYY-MM-DD HH:MM:SS.',
  ),
  withLine(
    'an order without a purchase',
    'orders',
    5,
    'x-1,anna,delivered,,,,,',
    'olist_orders_dataset.csv, line 5, column order_purchase_timestamp: "" is no date; expected is YYYY-MM-DD HH:MM:SS.',
  ),
  withLine(
    'a bad price',
    'items',
    2,
    'delivered-1,2,shoe,shop,2017-10-06 11:07:15,12.345,13.29',
    'olist_order_items_dataset.csv, line 2, column price: "12.345" is no amount; expected is a number such as 58.90, not negative.',
  ),
  withLine(
    'a negative payment',
    'payments',
    2,
    'delivered-1,1,credit_card,8,-80.10',
    'olist_order_payments_dataset.csv, line 2, column payment_value: "-80.10" is no amount; expected is a number such as 58.90, not negative.',
  ),
  withLine(
    'a number that is none',
    'payments',
    2,
    'delivered-1,one,credit_card,8,80.10',
    'olist_order_payments_dataset.csv, line 2, column payment_sequential: "one" is no whole number of at most nine digits.',
  ),
  withLine(
    'an order twice',
    'orders',
    4,
    smallFolder.orders[1] ?? '',
    'olist_orders_dataset.csv, line 4, column order_id: "delivered-1" is there twice; an order is one row.',
  ),
  withLine(
    'an item twice',
    'items',
    3,
    smallFolder.items[1] ?? '',
    'olist_order_items_dataset.csv, line 3, column order_item_id: "2" is there twice in order delivered-1.',
  ),
  withLine(
    'a payment twice',
    'payments',
    3,
    smallFolder.payments[1] ?? '',
    'olist_order_payments_dataset.csv, line 3, column payment_sequential: "1" is there twice in order delivered-1.',
  ),
  withLine(
    'an unknown status',
    'orders',
    2,
    'x-1,anna,lost,2017-10-02 10:56:33,,,,',
    'olist_orders_dataset.csv, line 2, column order_status: "lost" is none of created, approved, invoiced, processing, shipped, delivered, unavailable, canceled.',
  ),
  withLine(
    'an id that is none',
    'orders',
    2,
    '../x,anna,created,2017-10-02 10:56:33,,,,',
    'olist_orders_dataset.csv, line 2, column order_id: "../x" is no id; an id is 1 to 64 of A-Z a-z 0-9 _ -.',
  ),
  withLine(
    'an empty line in the middle',
    'orders',
    3,
    '',
    'olist_orders_dataset.csv, line 3, column 2: this line has 1 columns where 8 are expected.',
  ),
];
