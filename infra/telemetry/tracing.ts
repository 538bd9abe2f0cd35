import type { WatchAppend, WatchBatch, WatchPublish } from '@waybill/shared-kernel/watch.js';

/** The span of a request that is being answered. */
export interface RequestSpan {
  /** W3C trace context of the span: what the request causes belongs below it. */
  readonly traceparent: string;
  /** `route`: as declared. */
  end(route: string, status: number): void;
}

/** Begins the span of a request; `traceparent`: the caller's, if it was valid. */
export type TraceRequest = (method: string, traceparent: string | undefined) => RequestSpan;

/** What a process says of its work to a collector of traces. */
export interface Tracing {
  readonly request: TraceRequest;
  readonly append: WatchAppend;
  readonly publish: WatchPublish;
  readonly batch: WatchBatch;
  /** Sends what is left, for a few seconds at most. */
  close(): Promise<void>;
}

/** Which engines a process works with: attributes of its spans. */
export interface TracedEngines {
  readonly eventStore: string;
  readonly broker: string;
}

/**
 * Tracing by the standard variables of OpenTelemetry: on when `OTEL_EXPORTER_OTLP_ENDPOINT` (or the one for traces) is
 * set, unless `OTEL_SDK_DISABLED` is `true` or `OTEL_TRACES_EXPORTER` is `none`. When it is off, nothing of it is loaded.
 * `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, the headers, time-outs and sizes of batches
 * mean what they mean everywhere.
 */
export async function startTracing(
  service: string,
  engines: TracedEngines,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Tracing | undefined> {
  if (!isTracingOn(environment)) return undefined;
  const { traceTo } = await import('./opentelemetry.js');
  return traceTo(service, engines);
}

export function isTracingOn(environment: NodeJS.ProcessEnv): boolean {
  const endpoint = environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const isDisabled = environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true';
  return Boolean(endpoint) && !isDisabled && environment['OTEL_TRACES_EXPORTER'] !== 'none';
}
