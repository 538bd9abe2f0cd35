import type { DomainEvent } from '@waybill/shared-kernel/decider.js';
import { currentVersions, type EventType } from '@waybill/shared-kernel/events/catalogue.js';
import type { Actor, EventData, NewEvent, RequestMark } from '@waybill/shared-kernel/message.js';
import type { UuidSource } from '@waybill/shared-kernel/ports/clock.js';
import { traceparentFrom } from '@waybill/shared-kernel/traceparent.js';

/** What made something happen, as the events of it tell. */
export interface Cause {
  /** UUID of the request or event. */
  readonly id: string;
  /** When, RFC 3339 UTC with milliseconds. */
  readonly occurredAt: string;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
  readonly actor: Actor | undefined;
  /** The request, where a client may repeat it. */
  readonly request: RequestMark | undefined;
}

/**
 * Decided events as they go into the log, each with an id of its own. So made once for each attempt to append: of two
 * that decided on the same revision one then meets a wrong revision, where equal ids would pass for the same append
 * coming again.
 */
export function envelopes(
  events: readonly DomainEvent[],
  partitionKey: string,
  cause: Cause,
  randomness: UuidSource,
): readonly NewEvent[] {
  return events.map((event) => envelope(event, randomness.uuid(), partitionKey, cause));
}

/** A decided event with an id that is made by rule. */
export function envelope(
  { type, data }: DomainEvent,
  id: string,
  partitionKey: string,
  { id: causationId, occurredAt, correlationId, traceparent: trace, actor, request }: Cause,
): NewEvent {
  // What caused it may be from before there was a bound to it.
  const traceparent = trace === undefined ? undefined : traceparentFrom(trace);
  return {
    id,
    type,
    schemaVersion: currentVersions[type as EventType],
    occurredAt,
    correlationId,
    causationId,
    ...(actor === undefined ? undefined : { actor }),
    partitionKey,
    ...(traceparent === undefined ? undefined : { traceparent }),
    ...(request === undefined ? undefined : { request }),
    data: data as EventData,
  };
}
