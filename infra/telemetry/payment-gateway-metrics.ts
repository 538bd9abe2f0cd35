import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { BreakerState } from '../payment-gateway/breaker.js';
import type { WatchGateway } from '../payment-gateway/http-gateway.js';

const states: readonly BreakerState[] = ['closed', 'half-open', 'open'];

/** What happens between us and the payment gateway, in numbers. docs/operating.md names each. */
export function measureGateway(registry: Registry): WatchGateway {
  const calls = new Counter({
    name: 'waybill_payment_gateway_calls_total',
    help: 'Calls of the payment gateway by step and outcome: the status of the payment, refused, unavailable, or crowded (too many were waiting).',
    labelNames: ['step', 'outcome'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'waybill_payment_gateway_call_duration_seconds',
    help: 'From asking until there was an answer or none was to be had, with all attempts, by step.',
    labelNames: ['step'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
    registers: [registry],
  });
  const breaker = new Gauge({
    name: 'waybill_payment_gateway_breaker_state',
    help: 'The circuit breaker before the payment gateway: 1 for the state it is in.',
    labelNames: ['state'],
    registers: [registry],
  });
  return {
    called: (step, outcome, seconds) => {
      calls.inc({ step, outcome });
      durations.observe({ step }, seconds);
    },
    breaker: (state) => {
      for (const one of states) breaker.set({ state: one }, one === state ? 1 : 0);
    },
  };
}
