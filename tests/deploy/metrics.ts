import { Registry } from 'prom-client';
import { systemTimer } from '@waybill/infra/clock/system.js';
import { processMetrics } from '@waybill/infra/http/health.js';
import { observeRequests } from '@waybill/infra/http/metrics.js';
import { tellFigures } from '@waybill/infra/telemetry/progress-metrics.js';
import type { Figure } from '@waybill/shared-kernel/subscriptions/progress-figures.js';
import {
  countCommands,
  countPayments,
  countSnapshots,
  measureAppends,
  measureBatches,
  measurePublishing,
} from '@waybill/infra/telemetry/work-metrics.js';
import { measureGateway } from '@waybill/infra/telemetry/payment-gateway-metrics.js';
import { WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';

const keywords = ['and', 'or', 'unless', 'bool', 'offset', 'sum', 'max', 'min', 'avg', 'count'];

/** The metrics that an expression of PromQL names: words that are no function, no keyword, and stand outside of braces. */
export function metricsIn(expression: string): readonly string[] {
  const bare = expression
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)/g, '');
  return [...bare.matchAll(/\b[a-z_:][\w:]*\b(?! *\()/gi)]
    .map(([word]) => word)
    .filter((word) => !keywords.includes(word));
}

/** The names of all series that the processes have once each thing that is measured has happened. */
export async function metricsThatExist(): Promise<ReadonlySet<string>> {
  const { metrics, countFault, countQuarantined } = processMetrics();
  const requests = new Registry();
  observeRequests(requests)('GET', '/v1/orders', 200, 0.1);
  countFault('test');
  countQuarantined('orders');
  countCommands(metrics)('/v1/orders', 'recorded');
  countPayments(metrics)('capture', 'captured');
  countSnapshots(metrics)('hit');
  measureAppends(metrics)('order-1', [])(new WrongExpectedRevision('order-1', 0, 1));
  measurePublishing(metrics)([])();
  const gateway = measureGateway(metrics);
  gateway.called('authorise', 'authorised', 0.1);
  gateway.breaker('closed');
  const batches = measureBatches(metrics);
  batches({ consumer: 'orders.v2', partition: 0 }, [])();
  batches({ consumer: 'orders.v2', partition: 0 }, [])(new Error('failed'));
  const gauges = ['waybill_relay_lag_events', 'waybill_relay_lag_seconds'] as const;
  const ofProjections = [
    'waybill_projection_lag_events',
    'waybill_projection_lag_seconds',
    'waybill_quarantined_documents',
  ] as const;
  const ofFulfilment = ['waybill_fulfilment_orders', 'waybill_fulfilment_overdue_orders'] as const;
  const figures: readonly Figure[] = [
    ...gauges.map((name) => ({ name, value: 1 })),
    ...ofProjections.map((name) => ({ name, projection: 'orders', value: 1 })),
    ...ofFulfilment.map((name) => ({ name, state: 'delivering', value: 1 })),
  ];
  tellFigures(metrics, [async () => figures], systemTimer);
  const text = `${await metrics.metrics()}\n${await requests.metrics()}`;
  return new Set(['up', ...text.split('\n').flatMap((line) => /^[a-z]\w*/.exec(line)?.[0] ?? [])]);
}
