import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { listFreshness } from './reading/freshness.js';
import { everybody, orders, type ReportCount } from '@waybill/projections/read-models/orders.js';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import type { DocumentQueries } from '@waybill/shared-kernel/ports/read-store.js';
import { wishOf } from './reading/consistency.js';
import { readLiveOf } from './reading/live-model.js';
import type { Dependencies } from './reading/model.js';
import { day, id, readQuery } from './reading/query.js';
import { scopeOfReport } from './visibility.js';

const dayLong = 24 * 60 * 60 * 1000;
/** Days of a report for which no beginning was asked. */
const defaultDays = 30;
const longestReport = 366;

interface ReportDay extends Record<ReportCount, number> {
  readonly day: string;
  readonly currency: string;
  /** Totals of the orders that were delivered on the day, minor units. */
  revenue: bigint;
}

/** Days, both inclusive, as `YYYY-MM-DD`. */
interface Span {
  readonly from: string;
  readonly to: string;
}

/** `from` to `to`. Without `from`: the `defaultDays` up to `to`; without `to`: up to today. */
function spanOf(given: Partial<Span>, today: string): Span {
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

function daysOf(sums: Awaited<ReturnType<DocumentQueries['sums']>>): readonly ReportDay[] {
  const days = new Map<string, ReportDay>();
  for (const { day, unit: currency, name, count, total } of sums) {
    const key = `${day} ${currency}`;
    const reported = days.get(key) ?? {
      day,
      currency,
      placed: 0,
      cancelled: 0,
      rejected: 0,
      delivered: 0,
      revenue: 0n,
    };
    days.set(key, reported);
    reported[name as ReportCount] = count;
    if (name === 'delivered') reported.revenue = total;
  }
  return [...days.values()];
}

/** A day as JSON. `JSON.stringify` takes no integer that a number does not hold; JSON itself knows no bounds. */
function dayJson({ revenue, ...day }: ReportDay): string {
  const currency = JSON.stringify(day.currency);
  return `${JSON.stringify(day).slice(0, -1)},"revenue":{"amount":${revenue},"currency":${currency}}}`;
}

export function reportRoute(dependencies: Dependencies): Route {
  const { readStore, clock } = dependencies;
  const readLive = readLiveOf(orders, dependencies);

  async function report(request: ApiRequest): Promise<Answer> {
    const { search, headers } = request;
    const { merchantId, ...given } = readQuery(search, { from: day, to: day, merchantId: id });
    const span = spanOf(given, timestamp(clock).slice(0, 10));
    const { filters } = scopeOfReport(request, merchantId === undefined ? {} : { merchantId });
    const wish = wishOf(headers);
    const body = await readLive(wish, async ({ projection, gauge }) => {
      const lags = await gauge.lags();
      const sums = await readStore.sums(projection.collection, { owner: filters.merchantId ?? everybody, ...span });
      const freshness = JSON.stringify(listFreshness([], lags));
      return `{"days":[${daysOf(sums).map(dayJson).join()}],"freshness":${freshness}}`;
    });
    return { status: 200, body, ...(wish !== undefined && { headers: wish.headers }) };
  }

  return route('GET', '/v1/reports/daily', report);
}
