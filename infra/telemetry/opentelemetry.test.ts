import { describe, expect, test } from '@jest/globals';
import { emptyResource } from '@opentelemetry/resources';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Unavailable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { EventBatch } from '@waybill/shared-kernel/ports/broker.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { tracingWith } from './opentelemetry.js';
import { isTracingOn, startTracing } from './start-tracing.js';

const hex = (digit: string, length: number): string => digit.repeat(length);
const parent = (digit: string): string => `00-${hex(digit, 32)}-${hex(digit, 16)}-01`;
const notSampled = `00-${hex('d', 32)}-${hex('d', 16)}-00`;

function eventOf(traceparent: string | undefined): RecordedEvent {
  return {
    id: 'e1',
    type: 'OrderConfirmed',
    schemaVersion: 1,
    occurredAt: '2026-01-01T00:00:00.000Z',
    correlationId: 'r',
    causationId: 'c',
    partitionKey: 'o1',
    data: {},
    stream: 'order-o1',
    revision: 1,
    position: 7,
    recordedAt: '2026-01-01T00:00:00.000Z',
    ...(traceparent !== undefined && { traceparent }),
  };
}

function batchOf(traceparent: string | undefined): EventBatch {
  const previous = { since: 0, positions: {} };
  return { log: 'l', partition: 0, previous, events: [eventOf(traceparent)], through: 7 };
}

function traced() {
  const exporter = new InMemorySpanExporter();
  const engines = { eventStore: 'eventstoredb', broker: 'rabbitmq' };
  const tracing = tracingWith(new SimpleSpanProcessor(exporter), emptyResource(), engines);
  return { tracing, spans: () => exporter.getFinishedSpans() };
}

describe('tracing', () => {
  test('is off unless an endpoint is named, and can be turned off as everywhere', async () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
    expect(isTracingOn({})).toBe(false);
    expect(isTracingOn({ OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBe(false);
    expect(isTracingOn(endpoint)).toBe(true);
    expect(isTracingOn({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/v1/traces' })).toBe(true);
    expect(isTracingOn({ ...endpoint, OTEL_SDK_DISABLED: 'TRUE' })).toBe(false);
    expect(isTracingOn({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' })).toBe(false);
    expect(await startTracing('test', { eventStore: 'sqlite', broker: 'memory' }, {})).toBeUndefined();
  });

  test('a batch of one trace is a span of that', () => {
    const { tracing, spans } = traced();
    const events = [eventOf(parent('a')), eventOf(parent('a')), eventOf(undefined)];
    tracing.batch({ consumer: 'orders.v1', partition: 3 }, events)();
    expect(spans().map(({ name, parentSpanContext, links }) => [name, parentSpanContext?.spanId, links])).toEqual([
      ['project orders.v1', hex('a', 16), []],
    ]);
    expect(spans()[0]?.attributes).toMatchObject({
      'messaging.system': 'rabbitmq',
      'messaging.batch.message_count': 3,
      'messaging.destination.partition.id': '3',
    });
  });

  test('a batch of many traces is a span of each, and one of its own that links to all and they to it', () => {
    const { tracing, spans } = traced();
    tracing.batch(
      { consumer: 'fulfilment', partition: 0 },
      ['a', 'b', 'c'].map((digit) => eventOf(parent(digit))),
    )();
    const [batch, ...each] = spans();
    expect(batch?.parentSpanContext).toBeUndefined();
    expect(batch?.links.map(({ context }) => context.traceId)).toEqual(['a', 'b', 'c'].map((digit) => hex(digit, 32)));
    expect(each.map((span) => span.spanContext().traceId)).toEqual(['a', 'b', 'c'].map((digit) => hex(digit, 32)));
    for (const span of each) {
      expect(span.links.map(({ context }) => context.spanId)).toEqual([batch?.spanContext().spanId]);
    }
  });

  test('what belongs to no trace, or to one that is not sampled, is silence', () => {
    const { tracing, spans } = traced();
    tracing.batch({ consumer: 'orders.v1', partition: 0 }, [eventOf(undefined), eventOf(undefined)])();
    tracing.batch({ consumer: 'orders.v1', partition: 0 }, [eventOf(notSampled)])();
    tracing.publish([batchOf(undefined)])();
    tracing.append('order-o1', [eventOf(notSampled)])();
    expect(spans()).toEqual([]);
  });

  test('of a fault it tells the kind, never the words', () => {
    const { tracing, spans } = traced();
    tracing.append('order-o1', [eventOf(parent('a'))])(new WrongExpectedRevision('order-o1', 1, 2));
    tracing.publish([batchOf(parent('a'))])(new Unavailable('broker', 'Gone.'));
    tracing.batch({ consumer: 'orders.v1', partition: 0 }, [eventOf(parent('a'))])(new TypeError('Ann'));
    expect(spans().map(({ attributes }) => attributes['error.type'])).toEqual([
      'wrong-expected-revision',
      'unavailable',
      'TypeError',
    ]);
    expect(spans().map(({ status }) => status)).toEqual([{ code: 2 }, { code: 2 }, { code: 2 }]);
  });

  test('an append that belongs to no request begins a trace of its own', () => {
    const { tracing, spans } = traced();
    tracing.append('order-o1', [eventOf(undefined)])();
    expect(spans().map(({ name, parentSpanContext }) => [name, parentSpanContext])).toEqual([
      ['append order', undefined],
    ]);
  });
});
