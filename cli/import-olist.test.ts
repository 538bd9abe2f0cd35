import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dataFiles } from '@waybill/infra/process/config.js';
import { systemClock } from '@waybill/infra/clock/system.js';
import { lockDataFolder, prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { isLong } from '@waybill/shared-kernel/testing/length.js';
import { manyOrders } from './import/testing/many-orders.js';
import { faultyFolders } from './import/testing/olist-faults.js';
import { smallFolder } from './import/testing/olist-folder.js';
import { Waybill } from './testing/waybill.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

interface Report {
  readonly orders: number;
  readonly events: number;
  readonly added: number;
  readonly anomalies: readonly { readonly orderId: string; readonly kind: string }[];
  readonly skipped: Readonly<Record<string, number>>;
}

interface Audit {
  readonly ok: boolean;
  readonly events: number;
  readonly documents: number;
}

let waybill: Waybill;

beforeEach(() => {
  waybill = new Waybill();
});

afterEach(() => {
  waybill.remove();
});

async function withStore<T>(work: (store: EventStore) => Promise<T>): Promise<T> {
  const store = openSqliteEventStore(dataFiles(waybill.dataFolder).log, { clock: systemClock });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

describe('waybill import olist', () => {
  test('imports a folder with its anomalies, projects it, and adds nothing the second time', async () => {
    const folder = waybill.olistFolder(smallFolder);
    const report = await waybill.json<Report>('import', 'olist', folder);
    expect(report).toEqual({
      orders: 10,
      events: 43,
      added: 43,
      anomalies: [
        { orderId: 'early-1', kind: 'handed-over-before-approval', detail: expect.any(String) },
        { orderId: 'early-1', kind: 'handed-over-before-purchase', detail: expect.any(String) },
        { orderId: 'early-1', kind: 'delivered-before-approval', detail: expect.any(String) },
        { orderId: 'cancelled-late-1', kind: 'cancelled-although-delivered', detail: expect.any(String) },
        { orderId: 'undated-1', kind: 'delivered-without-date', detail: expect.any(String) },
      ],
      skipped: {
        'items-of-unknown-orders': 1,
        'payments-of-unknown-orders': 2,
        'payments-of-unapproved-orders': 1,
      },
    });
    expect(await waybill.json('audit', 'verify')).toEqual({
      ok: true,
      events: 43,
      documents: 15,
      differences: [],
      quarantined: [],
      cut: [],
      unreadable: [],
    });
    expect(await waybill.json('import', 'olist', folder)).toEqual({ ...report, added: 0 });
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true, events: 43 });
  });

  test('tells a person the same', async () => {
    const folder = waybill.olistFolder(smallFolder);
    const first = await waybill.run('import', 'olist', folder);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(`Imported 10 orders of ${folder}: 43 events, all new (`);
    expect(first.stdout).toMatch('5 anomalies, imported as they happened');
    expect(first.stdout).toMatch(/payments of unknown orders +2\n/);
    const second = await waybill.run('import', 'olist', folder);
    expect(second.stdout).toMatch(`Nothing new: the log already has what is in ${folder} (10 orders, 43 events).`);
  });

  test.each(faultyFolders)(
    'refuses $name: 2, with file, line and column, and nothing is written',
    async ({ files, says }) => {
      const { code, stdout, stderr } = await waybill.run('import', 'olist', waybill.olistFolder(files));
      expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: `${says}\n` });
      expect(existsSync(waybill.dataFolder)).toBe(false);
    },
  );

  test('refuses a folder that is not there, or lacks a file', async () => {
    const missing = join(waybill.scratch, 'nowhere');
    const { code, stderr } = await waybill.run('import', 'olist', missing);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `${join(missing, 'olist_orders_dataset.csv')} is not there. Name the folder that holds it, and check that you may read it.\n`,
    );
  });

  test('a row that was changed since it was imported is refused, listed, and ends with 1', async () => {
    await waybill.run('import', 'olist', waybill.olistFolder(smallFolder));
    const changed = smallFolder.orders.map((line) => line.replace('processing-1,carl', 'processing-1,karl'));
    const folder = waybill.olistFolder({ ...smallFolder, orders: changed });
    const { code, stdout } = await waybill.run('import', 'olist', folder, '--json');
    expect(code).toBe(1);
    const { added, anomalies } = JSON.parse(stdout) as Report;
    expect(added).toBe(0);
    expect(anomalies.at(-1)).toMatchObject({ orderId: 'processing-1', kind: 'other-history-in-the-log' });
    const replayed = await waybill.json<{ order: { customerId: string } }>('replay', 'order', 'processing-1');
    expect(replayed.order.customerId).toBe('carl');
  });

  test('leaves projecting to a server that runs', async () => {
    prepareDataFolder(waybill.dataFolder);
    const lock = lockDataFolder(waybill.dataFolder);
    const { code, stdout } = await waybill.run('import', 'olist', waybill.olistFolder(smallFolder));
    expect(code).toBe(0);
    expect(stdout).toMatch('The running server projects them now.');
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true, events: 43, documents: 0 });
    lock?.release();
  });

  test('killed at any point and run again, the log has every event once, and the read models have it all', async () => {
    const orders = 1_500;
    const folder = waybill.olistFolder(manyOrders(orders));
    const untouched = new Waybill();
    const { events } = await untouched.json<Report>('import', 'olist', folder).finally(() => untouched.remove());

    prepareDataFolder(waybill.dataFolder);
    for (const killAt of isLong ? [1, 2_000, 5_500, events - 1] : [Math.floor(events / 2)]) {
      await withStore(async (store) => {
        const { child, ended } = waybill.start('import', 'olist', folder);
        await reached(store, killAt, ended);
        child.kill('SIGKILL');
        await ended;
      });
    }

    const report = await waybill.json<Report>('import', 'olist', folder);
    expect(report).toMatchObject({ orders, events, anomalies: [] });
    const log = await withStore((store) => wholeLog(store));
    expect(log).toHaveLength(events);
    expect(new Set(log.map(({ id }) => id)).size).toBe(events);
    expect(await waybill.json<Audit>('audit', 'verify')).toEqual({
      ok: true,
      events,
      documents: 2 * orders,
      differences: [],
      quarantined: [],
      cut: [],
      unreadable: [],
    });
  });
});

/** Resolves when the log has so many events, or the import is over. */
async function reached(store: EventStore, events: number, over: Promise<unknown>): Promise<void> {
  const stop = new AbortController();
  void over.then(() => stop.abort());
  let seen = 0;
  for await (const batch of store.subscribe(0, 1000, stop.signal)) {
    seen += batch.events.length;
    if (seen >= events) return;
  }
}

const realFolder = fileURLToPath(new URL('../../../shared/data/olist', import.meta.url));

describe('the 4,071 real orders', () => {
  const real = existsSync(realFolder) ? test : test.skip;

  real(
    'are imported with all their anomalies, and every document equals the log',
    async () => {
      const { orders, events, added, anomalies, skipped } = await waybill.json<Report>('import', 'olist', realFolder);
      expect({ orders, added }).toEqual({ orders: 4_071, added: events });
      const kinds: Record<string, number> = {};
      for (const { kind } of anomalies) kinds[kind] = (kinds[kind] ?? 0) + 1;
      expect(kinds).toEqual({
        'handed-over-before-approval': 58,
        'handed-over-before-purchase': 8,
        'delivered-before-approval': 4,
        'cancelled-although-delivered': 1,
        'delivered-without-date': 1,
      });
      expect(skipped).toMatchObject({ 'payments-of-unapproved-orders': 0 });
      expect(await waybill.json<Audit>('audit', 'verify')).toMatchObject({ ok: true, events, differences: [] });
    },
    60_000,
  );
});
