import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import { categoryNameOf } from '@waybill/shared-kernel/stream.js';
import type { WatchAppend, WatchBatch, WatchPublish } from '@waybill/shared-kernel/watch.js';

// What the parts of Waybill do, in numbers. docs/operating.md names each; a test compares it with a scrape.

/** Seconds, from the quickest append to what nobody waits for. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

// In what follows, children are kept: looking one up by its labels costs more than counting or observing.

const secondsSince = (startedAt: number): number => (performance.now() - startedAt) / 1000;

export function countCommands(registry: Registry): (route: string, outcome: string) => void {
  const commands = new Counter({
    name: 'waybill_commands_total',
    help: 'Commands by route and outcome: recorded, unchanged, replayed, or the kind of the problem.',
    labelNames: ['route', 'outcome'],
    registers: [registry],
  });
  const children = new Map<string, Counter.Internal>();
  return (route, outcome) => {
    const name = `${route} ${outcome}`;
    let child = children.get(name);
    if (child === undefined) children.set(name, (child = commands.labels(route, outcome)));
    child.inc();
  };
}

export function measureAppends(registry: Registry): WatchAppend {
  const durations = new Histogram({
    name: 'waybill_append_duration_seconds',
    help: 'From asking for an append until it is durable or has failed, by category of the stream.',
    labelNames: ['category'],
    buckets,
    registers: [registry],
  });
  const conflicts = new Counter({
    name: 'waybill_append_conflicts_total',
    help: 'Appends that lost to another of the same stream, by category; most of them are decided again.',
    labelNames: ['category'],
    registers: [registry],
  });
  const children = new Map<string, Histogram.Internal<'category'>>();
  return (stream) => {
    const startedAt = performance.now();
    return (fault) => {
      const category = categoryNameOf(stream);
      let child = children.get(category);
      if (child === undefined) children.set(category, (child = durations.labels(category)));
      child.observe(secondsSince(startedAt));
      if (fault instanceof WrongExpectedRevision) conflicts.inc({ category });
    };
  };
}

export function measurePublishing(registry: Registry): WatchPublish {
  const durations = new Histogram({
    name: 'waybill_relay_publish_duration_seconds',
    help: 'From giving events to the broker until it has confirmed all of them.',
    buckets,
    registers: [registry],
  });
  const published = new Counter({
    name: 'waybill_relay_messages_total',
    help: 'Events that the broker confirmed to the relay.',
    registers: [registry],
  });
  const underWay = new Gauge({
    name: 'waybill_relay_unconfirmed_messages',
    help: 'Events that were given to the broker and are not confirmed.',
    registers: [registry],
  });
  return (batches) => {
    const startedAt = performance.now();
    const length = batches.reduce((sum, { events }) => sum + events.length, 0);
    underWay.inc(length);
    return (fault) => {
      underWay.dec(length);
      durations.observe(secondsSince(startedAt));
      if (fault === undefined) published.inc(length);
    };
  };
}

export function measureBatches(registry: Registry): WatchBatch {
  const sizes = new Histogram({
    name: 'waybill_consumer_batch_events',
    help: 'Events that a consumer (a read model, or fulfilment) applied together.',
    labelNames: ['consumer'],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'waybill_consumer_apply_duration_seconds',
    help: 'From the beginning of a batch until it is written, by consumer.',
    labelNames: ['consumer'],
    buckets,
    registers: [registry],
  });
  const failures = new Counter({
    name: 'waybill_consumer_failures_total',
    help: 'Batches that failed and are applied again, by consumer.',
    labelNames: ['consumer'],
    registers: [registry],
  });
  return ({ consumer }, { length }) => {
    const startedAt = performance.now();
    return (fault) => {
      durations.observe({ consumer }, secondsSince(startedAt));
      if (fault === undefined) sizes.observe({ consumer }, length);
      else failures.inc({ consumer });
    };
  };
}

export function countPayments(registry: Registry): (step: string, outcome: string) => void {
  const payments = new Counter({
    name: 'waybill_payments_total',
    help: 'Requests to the payment service by step and outcome: how the payment stands, unavailable (the gateway), or failed.',
    labelNames: ['step', 'outcome'],
    registers: [registry],
  });
  return (step, outcome) => payments.inc({ step, outcome });
}

export function countSnapshots(registry: Registry): (result: 'hit' | 'miss' | 'ignored') => void {
  const lookups = new Counter({
    name: 'waybill_snapshot_lookups_total',
    help: 'Looks for the snapshot of an aggregate: hit, miss (none, or not in time), ignored (of another version, or wrong).',
    labelNames: ['result'],
    registers: [registry],
  });
  return (result) => lookups.inc({ result });
}
