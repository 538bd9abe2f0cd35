import { beforeEach, describe, expect, test } from '@jest/globals';
import { cancelled, completed, confirmed, onOrder } from '@waybill/projections/testing/history.js';
import { lumen } from './testing/callers.js';
import { line, place } from './testing/orders.js';
import type { ReadSide } from './testing/read-side.js';
import { readSideForEach } from './testing/read-side-for-each.js';

interface Report {
  readonly days: readonly unknown[];
}

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

const on = (day: number, time = '12:00:00.000') => ({ at: `2026-02-${String(day).padStart(2, '0')}T${time}Z` });
const days = async (query: string) => (await side.get<Report>(`/v1/reports/daily${query}`)).body.days;

test('counts what became of orders by day and currency, and revenue by the day of delivery', async () => {
  await side.history(
    await place(side, 'o1', { total: 100 }, on(1, '00:00:00.000')),
    await place(side, 'o2', { total: 200 }, on(1, '23:59:59.999')),
    await place(side, 'o3', { total: 7, currency: 'EUR' }, on(1)),
    await place(side, 'o4', { total: 400 }, on(2)),
    confirmed('o1', on(1)),
    completed('o1', on(2)),
    completed('o2', on(2)),
    cancelled('o3', on(2)),
    onOrder('o4', { type: 'OrderRejected', data: { orderId: 'o4', reason: 'no', timeEstimated: false } }, on(4)),
  );
  const none = { placed: 0, cancelled: 0, rejected: 0, delivered: 0 };
  const won = (amount: number) => ({ revenue: { amount, currency: 'KRW' } });
  const euro = { revenue: { amount: 0, currency: 'EUR' } };
  const all = [
    { day: '2026-02-01', currency: 'EUR', ...none, placed: 1, ...euro },
    { day: '2026-02-01', currency: 'KRW', ...none, placed: 2, ...won(0) },
    { day: '2026-02-02', currency: 'EUR', ...none, cancelled: 1, ...euro },
    { day: '2026-02-02', currency: 'KRW', ...none, placed: 1, delivered: 2, ...won(300) },
    { day: '2026-02-04', currency: 'KRW', ...none, rejected: 1, ...won(0) },
  ];
  expect(await days('?from=2026-02-01&to=2026-02-28')).toEqual(all);
  expect(await days('?from=2026-02-02&to=2026-02-02')).toEqual(all.slice(2, 4));
  expect(await days('?from=2026-02-03')).toEqual(all.slice(4));
});

test('adds up what no number holds, digit by digit', async () => {
  const total = 5_000_000_000_000_001;
  await side.history(
    ...(await Promise.all(['o1', 'o2', 'o3'].map((orderId) => place(side, orderId, { total }, on(1))))),
    completed('o1', on(1)),
    completed('o2', on(1)),
    completed('o3', on(1)),
  );
  const { status, text } = await side.get('/v1/reports/daily?from=2026-02-01&to=2026-02-01');
  expect(status).toBe(200);
  expect(text).toMatch('"revenue":{"amount":15000000000000003,"currency":"KRW"}');
});

describe('of a merchant', () => {
  const none = { cancelled: 0, rejected: 0, delivered: 0, revenue: { amount: 0, currency: 'KRW' } };
  const placed = { day: '2026-02-01', currency: 'KRW', placed: 1, ...none };
  const delivered = (amount: number) => ({
    ...placed,
    day: '2026-02-02',
    placed: 0,
    delivered: 1,
    revenue: { amount, currency: 'KRW' },
  });
  const all = '?from=2026-02-01&to=2026-02-28';

  beforeEach(async () => {
    const lines = [
      line('lamp-1', 'lumen', 'Desk Lamp'),
      { ...line('cup-1', 'm2', 'Cup'), quantity: 3, unitPrice: 500 },
    ];
    await side.history(await place(side, 'o1', { lines, total: 19500 }, on(1)), completed('o1', on(2)));
  });

  test('counts the orders with lines of theirs, and what these come to', async () => {
    expect(await days(`${all}&merchantId=lumen`)).toEqual([placed, delivered(18000)]);
    expect(await days(`${all}&merchantId=m2`)).toEqual([placed, delivered(1500)]);
    expect(await days(`${all}&merchantId=nobody`)).toEqual([]);
    expect(await days(all)).toEqual([placed, delivered(19500)]);
  });

  test('is shown to that merchant, who need not say so, and to no other', async () => {
    const own = await side.get<Report>(`/v1/reports/daily${all}`, lumen);
    expect(own.body.days).toEqual([placed, delivered(18000)]);
    expect((await side.get(`/v1/reports/daily${all}&merchantId=m2`, lumen)).status).toBe(403);
  });
});

test('is of the last 30 days unless told otherwise', async () => {
  const started = '2026-03-01';
  await side.history(
    await place(side, 'today', {}, { at: `${started}T00:00:00.000Z` }),
    await place(side, 'first', {}, { at: '2026-01-31T00:00:00.000Z' }),
    await place(side, 'before', {}, { at: '2026-01-30T23:59:59.999Z' }),
  );
  expect(await days('')).toMatchObject([{ day: '2026-01-31' }, { day: started }]);
});

test.each([
  ['?from=2026-02-30', 400],
  ['?from=2026-02-02&to=2026-02-01', 400],
  ['?from=2020-01-01&to=2026-02-01', 400],
  ['?from=2026-02-01T00:00:00Z', 400],
  ['?from=2025-02-01&to=2026-02-01', 200],
])('%s is answered with %d', async (query, status) => {
  expect((await side.get(`/v1/reports/daily${query}`)).status).toBe(status);
});
