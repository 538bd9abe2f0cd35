import { json, route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { listFreshness } from '@waybill/projections/freshness.js';
import { orders } from '@waybill/projections/orders.js';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import type { Money } from '@waybill/shared-kernel/money.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import type { CollectionSpec, Group } from '@waybill/shared-kernel/ports/read-store.js';
import { wishOf } from './consistency.js';
import { readLiveOf } from './live-model.js';
import type { Means } from './model.js';
import { day, readQuery } from './query.js';

const dayLong = 24 * 60 * 60 * 1000;
/** Days of a report for which no beginning was asked. */
const defaultDays = 30;
const longestReport = 366;

interface ReportDay {
  readonly day: string;
  readonly currency: string;
  placed: number;
  cancelled: number;
  rejected: number;
  delivered: number;
  /** Totals of the orders that were delivered on the day. */
  revenue: Money;
}

/** Days, both inclusive, as `YYYY-MM-DD`. */
interface Span {
  readonly from: string;
  readonly to: string;
}

type Count = (day: ReportDay, group: Group) => void;

/** What a report counts, and by which day of an order. */
const counts: Readonly<Record<string, Count>> = {
  placedDay: (reported, { count }) => (reported.placed = count),
  cancelledDay: (reported, { count }) => (reported.cancelled = count),
  rejectedDay: (reported, { count }) => (reported.rejected = count),
  deliveredDay: (reported, { count, sum }) => {
    reported.delivered = count;
    reported.revenue = { amount: sum, currency: reported.currency };
  },
};

/** `from` to `to`. Without `from`: the `defaultDays` up to `to`; without `to`: up to today. */
function spanOf(search: string, today: string): Span {
  const given = readQuery(search, { from: day, to: day });
  const to = given.to ?? (given.from !== undefined && given.from > today ? given.from : today);
  const from = given.from ?? new Date(Date.parse(to) - (defaultDays - 1) * dayLong).toISOString().slice(0, 10);
  const days = (Date.parse(to) - Date.parse(from)) / dayLong + 1;
  const detail =
    days < 1 ? 'It must not be after to.' : days > longestReport ? `At most ${longestReport} days.` : undefined;
  if (detail !== undefined) {
    throw new InvalidInput([{ pointer: '/from', parameter: 'from', detail }], 'The query is not valid.');
  }
  return { from, to };
}

export function reportRoute(means: Means): Route {
  const { readStore, clock } = means;
  const readLive = readLiveOf(orders, means);

  async function daysOf(collection: CollectionSpec, span: Span): Promise<readonly ReportDay[]> {
    const days = new Map<string, ReportDay>();
    for (const [by, count] of Object.entries(counts)) {
      for (const group of await readStore.groups(collection, { by, and: 'currency', sum: 'total', ...span })) {
        const currency = String(group.and);
        const key = `${group.by} ${currency}`;
        const none = { placed: 0, cancelled: 0, rejected: 0, delivered: 0, revenue: { amount: 0, currency } };
        const reported = days.get(key) ?? { day: group.by, currency, ...none };
        days.set(key, reported);
        count(reported, group);
      }
    }
    return [...days].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, reported]) => reported);
  }

  async function report({ search, headers }: ApiRequest): Promise<Answer> {
    const span = spanOf(search, timestamp(clock).slice(0, 10));
    const wish = wishOf(headers);
    const body = await readLive(wish, async ({ projection, gauge }) => {
      const lags = await gauge.lags();
      return { days: await daysOf(projection.collection, span), freshness: listFreshness([], lags) };
    });
    return json(200, body, wish?.headers);
  }

  return route('GET', '/v1/reports/daily', report);
}
