import { SpanKind, SpanStatusCode, type Attributes, type Link, type Span, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
  type Resource,
} from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import { WaybillError } from '@waybill/shared-kernel/errors.js';
import type { WatchAppend, WatchBatch, WatchPublish } from '@waybill/shared-kernel/watch.js';
import { categoryNameOf } from '@waybill/shared-kernel/stream.js';
import { contextOf, spanContextOf, traceparentOf } from './trace-context.js';
import type { TracedEngines, TraceRequest, Tracing } from './tracing.js';

// The only file that knows the SDK; it is loaded where tracing is on. Names and attributes follow OpenTelemetry's
// semantic conventions. Ids of orders and persons, paths and payloads stay out: a trace goes to more eyes than the log.

/** Name of the exchange, as RabbitMQ's topology has it. */
const destination = 'waybill.event-batches';

/** Most traces of one batch that get a span each, and most links; what is beyond them is counted only. */
const mostParents = 128;

const farewell = 3_000;

/** Sends the spans of a process where the environment says (`OTEL_EXPORTER_OTLP_…`). */
export function traceTo(service: string, engines: TracedEngines): Tracing {
  return tracingWith(new BatchSpanProcessor(new OTLPTraceExporter()), resourceOf(service), engines);
}

/** What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say comes before our own name. */
function resourceOf(service: string): Resource {
  return defaultResource()
    .merge(resourceFromAttributes({ 'service.name': service, 'service.namespace': 'waybill' }))
    .merge(detectResources({ detectors: [envDetector] }));
}

export function tracingWith(processor: SpanProcessor, resource: Resource, engines: TracedEngines): Tracing {
  const provider = new BasicTracerProvider({ resource, spanProcessors: [processor] });
  const tracer = provider.getTracer('waybill');
  return {
    request: traceRequests(tracer),
    append: traceAppends(tracer, engines.eventStore),
    publish: tracePublishing(tracer, engines.broker),
    batch: traceBatches(tracer, engines.broker),
    close: async () => {
      // A collector that is away must not keep a process from stopping.
      let impatient: NodeJS.Timeout | undefined;
      const answerTimeoutMs = new Promise<void>((resolve) => (impatient = setTimeout(resolve, farewell)));
      await Promise.race([provider.shutdown().catch(() => undefined), answerTimeoutMs]);
      clearTimeout(impatient);
    },
  };
}

function traceRequests(tracer: Tracer): TraceRequest {
  return (method, traceparent) => {
    const attributes = { 'http.request.method': method };
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, contextOf(traceparent));
    return {
      traceparent: traceparentOf(span.spanContext()),
      end: (route, status) => {
        if (route !== 'none') span.updateName(`${method} ${route}`).setAttribute('http.route', route);
        span.setAttribute('http.response.status_code', status);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(status));
        span.end();
      },
    };
  };
}

/** Below the request that its events are of. */
function traceAppends(tracer: Tracer, system: string): WatchAppend {
  return (stream, events) => {
    const category = categoryNameOf(stream);
    const attributes: Attributes = {
      'db.system.name': system,
      'db.operation.name': 'append',
      'db.collection.name': category,
      ...(events.length > 1 && { 'db.operation.batch.size': events.length }),
    };
    const span = tracer.startSpan(
      `append ${category}`,
      { kind: SpanKind.CLIENT, attributes },
      contextOf(events[0]?.traceparent),
    );
    return (fault) => finish(span, fault);
  };
}

/** A span for each event that is of a trace, from when its batch was given to the broker until that confirmed it. */
function tracePublishing(tracer: Tracer, system: string): WatchPublish {
  return (batches) => {
    const startTime = Date.now();
    const spans: Span[] = [];
    const sent = batches.flatMap(({ partition, events }) => events.map((event) => ({ partition, event })));
    for (const { event, partition } of sent) {
      if (event.traceparent === undefined) continue;
      const attributes: Attributes = {
        'messaging.system': system,
        'messaging.operation.type': 'send',
        'messaging.operation.name': 'publish',
        'messaging.destination.name': destination,
        'messaging.destination.partition.id': String(partition),
        'messaging.message.id': event.id,
      };
      const options = { kind: SpanKind.PRODUCER, startTime, attributes };
      spans.push(tracer.startSpan(`publish ${destination}`, options, contextOf(event.traceparent)));
    }
    return (fault) => {
      for (const span of spans) finish(span, fault);
    };
  };
}

/**
 * A span in each trace that a batch has events of. Where they are several, one more, of a trace of its own, stands for
 * the batch: it links to all of them and they to it.
 */
function traceBatches(tracer: Tracer, system: string): WatchBatch {
  return ({ consumer, partition }, events) => {
    const parents = new Set<string>();
    for (const { traceparent } of events) {
      if (traceparent !== undefined && parents.size < mostParents) parents.add(traceparent);
    }
    if (parents.size === 0) return () => undefined;
    const startTime = Date.now();
    const operation = consumer === 'fulfilment' ? 'fulfil' : 'project';
    const attributes: Attributes = {
      'messaging.system': system,
      'messaging.operation.type': 'process',
      'messaging.operation.name': operation,
      'messaging.destination.name': consumer,
      'messaging.destination.partition.id': String(partition),
      'messaging.consumer.group.name': consumer,
      'messaging.batch.message_count': events.length,
    };
    const begin = (parent: string | undefined, links: Link[]): Span =>
      tracer.startSpan(
        `${operation} ${consumer}`,
        { kind: SpanKind.CONSUMER, startTime, attributes, links },
        contextOf(parent),
      );
    const spans: Span[] = [];
    const links: Link[] = [];
    if (parents.size > 1) {
      const batch = begin(
        undefined,
        Array.from(parents, (parent) => ({ context: spanContextOf(parent) })),
      );
      spans.push(batch);
      links.push({ context: batch.spanContext() });
    }
    for (const parent of parents) spans.push(begin(parent, links));
    return (fault) => {
      for (const span of spans) finish(span, fault);
    };
  };
}

/** Of a fault it says the kind: its message may name who it concerns. */
function finish(span: Span, fault: unknown): void {
  if (fault !== undefined) {
    const kind = fault instanceof WaybillError ? fault.kind : fault instanceof Error ? fault.name : 'unknown';
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', kind);
  }
  span.end();
}
