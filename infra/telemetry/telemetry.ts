import type { Registry } from 'prom-client';
import type { BatchPublisher } from '@waybill/shared-kernel/ports/broker.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { watchAll, type WatchBatch } from '@waybill/shared-kernel/watch.js';
import type { Config } from '../process/config.js';
import type { WatchGateway } from '../payment-gateway/http-gateway.js';
import { measureGateway } from './payment-gateway-metrics.js';
import { startTracing } from './start-tracing.js';
import type { TraceRequest, Tracing } from './tracing.js';
import { WatchedEventStore } from './watched-event-store.js';
import { watchedPublisher } from './watched-publisher.js';
import {
  countCommands,
  countPayments,
  countSnapshots,
  measureAppends,
  measureBatches,
  measurePublishing,
} from './work-metrics.js';

/** How a process tells, in metrics and traces, of what it does. Each thread has its own. */
export interface Telemetry {
  /** The log, its appends measured. Once per process. */
  store(log: EventStore): EventStore;
  /** The relay's way to the broker, measured. Once per process. */
  publisher(broker: BatchPublisher): BatchPublisher;
  /** For what consumes partitions. Once per process. */
  watchBatches(): WatchBatch;
  countCommands(): (route: string, outcome: string) => void;
  countPayments(): (step: string, outcome: string) => void;
  countSnapshots(): (result: 'hit' | 'miss' | 'ignored') => void;
  /** For the way to the payment gateway. Once per process. */
  watchGateway(): WatchGateway;
  /** While tracing is on. */
  readonly traceRequest: TraceRequest | undefined;
  /** Sends what is left to be sent. */
  close(): Promise<void>;
}

/** Metrics go into `metrics`, each with the part that it is of; traces where the environment says. */
export async function startTelemetry(service: string, config: Config, metrics: Registry): Promise<Telemetry> {
  const engines = { eventStore: config.eventStore.kind, broker: config.broker.kind };
  return telemetryOf(metrics, await startTracing(service, engines));
}

export function telemetryOf(metrics: Registry, tracing: Tracing | undefined): Telemetry {
  return {
    store: (log) => new WatchedEventStore(log, watchAll(both(measureAppends(metrics), tracing?.append))),
    publisher: (broker) => watchedPublisher(broker, watchAll(both(measurePublishing(metrics), tracing?.publish))),
    watchBatches: () => watchAll(both(measureBatches(metrics), tracing?.batch)),
    countCommands: () => countCommands(metrics),
    countPayments: () => countPayments(metrics),
    countSnapshots: () => countSnapshots(metrics),
    watchGateway: () => measureGateway(metrics),
    traceRequest: tracing?.request,
    close: async () => tracing?.close(),
  };
}

function both<Watch>(one: Watch, other: Watch | undefined): readonly Watch[] {
  return other === undefined ? [one] : [one, other];
}
