import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import { faultyFolders } from './testing/olist-faults.js';
import { makeOlistFolder, smallFolder, type FixtureFiles } from './testing/olist-folder.js';
import { readOlistFolder } from './olist-folder.js';

const removals: (() => void)[] = [];

afterEach(() => {
  for (const remove of removals.splice(0)) remove();
});

function folderOf(files: FixtureFiles): string {
  const made = makeOlistFolder(files);
  removals.push(() => made.remove());
  return made.folder;
}

describe('the olist folder', () => {
  test('gives every order with its items by number, its payments summed, its times in UTC', async () => {
    const { orders, skipped } = await readOlistFolder(folderOf(smallFolder));
    expect(orders).toHaveLength(10);
    expect(orders[0]).toEqual({
      orderId: 'delivered-1',
      customerId: 'anna',
      status: 'delivered',
      purchasedAt: '2017-10-02T10:56:33.000Z',
      approvedAt: '2017-10-02T11:07:15.000Z',
      handedOverAt: '2017-10-04T19:55:00.000Z',
      deliveredAt: '2017-10-10T21:25:13.000Z',
      promisedBy: '2017-10-18T00:00:00.000Z',
      items: [
        { number: 1, productId: 'hat', sellerId: 'shop', price: 990, freight: 1 },
        { number: 2, productId: 'shoe', sellerId: 'shop', price: 5890, freight: 1329 },
      ],
      paid: 8210,
    });
    expect(orders[3]).toMatchObject({ orderId: 'created-1', approvedAt: null, items: [], paid: null });
    expect(skipped).toEqual({
      'items-of-unknown-orders': 1,
      'payments-of-unknown-orders': 2,
      'payments-of-unapproved-orders': 1,
    });
  });

  test('reads a byte order mark, CRLF and line breaks inside quotes, and still counts lines', async () => {
    const folder = folderOf(smallFolder);
    const file = join(folder, 'olist_orders_dataset.csv');
    writeFileSync(file, `\uFEFF${readFileSync(file, 'utf8').replaceAll('\n', '\r\n')}`);
    expect((await readOlistFolder(folder)).orders).toHaveLength(10);
    appendFileSync(file, 'x-1,"two\r\nlines",created,2017-10-02 10:56:33,,,,\r\n');
    await expect(readOlistFolder(folder)).rejects.toThrow('olist_orders_dataset.csv, line 12, column customer_id:');
  });

  test.each(faultyFolders)('refuses $name with file, line and column', async ({ files, says }) => {
    const reading = readOlistFolder(folderOf(files));
    await expect(reading).rejects.toThrow(InvalidInput);
    await expect(reading).rejects.toThrow(says);
  });

  test('refuses bytes that are no UTF-8', async () => {
    const folder = folderOf(smallFolder);
    appendFileSync(join(folder, 'olist_order_items_dataset.csv'), Buffer.from([0x61, 0xff, 0x0a]));
    await expect(readOlistFolder(folder)).rejects.toThrow(/^olist_order_items_dataset.csv, .*this is not UTF-8 text/);
  });

  test('says which file is missing', async () => {
    const folder = folderOf(smallFolder);
    const file = join(folder, 'olist_order_payments_dataset.csv');
    rmSync(file);
    await expect(readOlistFolder(folder)).rejects.toThrow(`${file} is not there.`);
  });

  test('says so when there is no such folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-olist-'));
    rmSync(folder, { recursive: true });
    await expect(readOlistFolder(folder)).rejects.toThrow(InvalidInput);
  });
});
