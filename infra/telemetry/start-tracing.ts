import type { TracedEngines, Tracing } from './tracing.js';

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
