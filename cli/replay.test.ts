import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Waybill } from './testing/waybill.js';

interface Order {
  readonly orderId: string;
  readonly status: string;
}

function linesOf(text: string): readonly Order[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Order);
}

const asOf = '2017-10-07T10:00:00Z';

/** As `smallFolder` says, worked out by hand. */
const thatDay: Readonly<Record<string, string>> = {
  'delivered-1': 'out_for_delivery',
  'shipped-1': 'out_for_delivery',
  'processing-1': 'confirmed',
  'created-1': 'placed',
  'canceled-1': 'cancelled',
  'canceled-2': 'cancelled',
  'unavailable-1': 'placed',
};

describe('waybill replay', () => {
  const waybill = new Waybill();

  beforeAll(() => waybill.importSmall());

  afterAll(() => {
    waybill.remove();
  });

  test('history --json: a document a line', async () => {
    const { code, stdout } = await waybill.run('replay', 'history', '--as-of', asOf, '--json');
    expect(code).toBe(0);
    expect(Object.fromEntries(linesOf(stdout).map(({ orderId, status }) => [orderId, status]))).toEqual(thatDay);
  });

  test('history --out: the same into a file, and a census for the person', async () => {
    const out = join(waybill.scratch, 'history.ndjson');
    writeFileSync(out, 'an older one');
    const { code, stdout } = await waybill.run('replay', 'history', '--as-of', asOf, '--out', out);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^7 orders as of 2017-10-07T10:00:00.000Z:\n(.*\n)* {2}cancelled +2\n(.*\n)*Wrote them to /);
    expect(linesOf(readFileSync(out, 'utf8'))).toHaveLength(7);
    expect(await waybill.run('replay', 'history', '--as-of', asOf, '--out', out, '--json')).toMatchObject({
      stdout: '',
    });
    expect(readdirSync(waybill.scratch).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('history --out where it cannot be written: 2', async () => {
    const out = join(waybill.scratch, 'nowhere', 'history.ndjson');
    const { code, stderr } = await waybill.run('replay', 'history', '--as-of', asOf, '--out', out);
    expect(code).toBe(2);
    expect(stderr).toMatch(`${out} cannot be written (ENOENT). Name another file with --out.`);
  });

  test('history --known-at before anything was recorded: nothing was known', async () => {
    const { stdout } = await waybill.run('replay', 'history', '--as-of', asOf, '--known-at', '2017-12-01T00:00:00Z');
    expect(stdout).toMatch(/^0 orders as of/);
  });

  test('order --json: the order and what made it', async () => {
    const { order, events } = await waybill.json<{
      order: Order;
      events: readonly { type: string; position: unknown }[];
    }>('replay', 'order', 'delivered-1', '--as-of', asOf);
    expect(order).toMatchObject({
      orderId: 'delivered-1',
      status: 'out_for_delivery',
      total: { amount: 8210, currency: 'BRL' },
      promisedBy: '2017-10-18T00:00:00.000Z',
      imported: true,
    });
    expect(events.map(({ type }) => type)).toEqual([
      'OrderPlaced',
      'OrderConfirmed',
      'PaymentAuthorised',
      'DeliveryScheduled',
      'DeliveryPickedUp',
    ]);
    expect(events.every(({ position }) => typeof position === 'string')).toBe(true);
  });

  test('order reads well to a person', async () => {
    const { stdout } = await waybill.run('replay', 'order', 'delivered-1', '--revision', '0');
    expect(stdout).toMatch(/^Order delivered-1\n {2}status +placed\n/);
    expect(stdout).toMatch(/total +BRL 82.10\n/);
    expect(stdout).toMatch(/1 × +shoe +BRL 58.90\n/);
  });

  test('order that is not there, or was not: 1', async () => {
    expect(await waybill.run('replay', 'order', 'nobody')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There is no order nobody.\n',
    });
    expect(await waybill.run('replay', 'order', 'early-1', '--as-of', asOf)).toMatchObject({ code: 1 });
    expect(await waybill.run('replay', 'order', 'delivered-1', '--revision', '9')).toMatchObject({ code: 1 });
  });

  test('nothing is shown of what the other side of a pipe does not take', async () => {
    const { child, ended } = waybill.start('replay', 'history', '--as-of', asOf, '--json');
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });
});

const realFolder = fileURLToPath(new URL('../../../shared/data/olist', import.meta.url));

/** The rule of the data's README, straight from the rows, without any event. */
function statusOfRow(row: readonly string[], at: string): string | undefined {
  const [, , status, purchased, approved, carrier, delivered] = row as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if (purchased > at) return undefined;
  const ended = [purchased, approved, carrier, delivered].toSorted().at(-1)!;
  if (status === 'canceled' && ended <= at) return 'cancelled';
  if (status === 'unavailable' && ended <= at) return 'rejected';
  if (delivered !== '' && delivered <= at) return 'delivered';
  if (carrier !== '' && carrier <= at) return 'out_for_delivery';
  return approved !== '' && approved <= at ? 'confirmed' : 'placed';
}

describe('the 4,071 real orders', () => {
  const real = existsSync(realFolder) ? test : test.skip;

  real(
    'stood on the evening of 24 November 2017 as their rows say',
    async () => {
      const waybill = new Waybill();
      mkdirSync(waybill.dataFolder);
      try {
        expect(await waybill.run('import', 'olist', realFolder)).toMatchObject({ code: 0 });
        const rows = readFileSync(join(realFolder, 'olist_orders_dataset.csv'), 'utf8')
          .split('\n')
          .slice(1)
          .filter(Boolean)
          .map((line) => line.replaceAll('"', '').replace('\r', '').split(','));
        const expected = rows
          .map((row): [string, string | undefined] => [row[0]!, statusOfRow(row, '2017-11-24 23:59:59')])
          .filter(([, status]) => status !== undefined);
        expect(rows).toHaveLength(4_071);
        expect(expected).toHaveLength(1_506);
        const { stdout } = await waybill.run('replay', 'history', '--as-of', '2017-11-24T23:59:59Z', '--json');
        const found = linesOf(stdout).map(({ orderId, status }): [string, string] => [orderId, status]);
        expect(new Map(found)).toEqual(new Map(expected));
      } finally {
        waybill.remove();
      }
    },
    60_000,
  );
});
