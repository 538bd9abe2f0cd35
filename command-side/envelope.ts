import type { DomainEvent } from '@waybill/shared-kernel/decider.js';
import { currentVersions, type EventType } from '@waybill/shared-kernel/events/catalogue.js';
import { eventIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { Actor, EventData, NewEvent, RequestMark } from '@waybill/shared-kernel/message.js';

/** What made something happen, as the events of it tell. */
export interface Cause {
  /** UUID of the request or event; the ids of the events it leads to are derived from it. */
  readonly id: string;
  /** When, RFC 3339 UTC with milliseconds. */
  readonly occurredAt: string;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
  readonly actor: Actor | undefined;
  /** The request, where a client may repeat it. */
  readonly request: RequestMark | undefined;
}

/** Decided events as they go into the log. `from`: how many events of the same cause go elsewhere, and count before. */
export function envelopes(
  events: readonly DomainEvent[],
  partitionKey: string,
  cause: Cause,
  from = 0,
): readonly NewEvent[] {
  const { occurredAt, correlationId, traceparent, actor, request } = cause;
  return events.map(({ type, data }, index) => ({
    id: eventIdOf(cause.id, from + index, request?.hash),
    type,
    schemaVersion: currentVersions[type as EventType],
    occurredAt,
    correlationId,
    causationId: cause.id,
    ...(actor === undefined ? undefined : { actor }),
    partitionKey,
    ...(traceparent === undefined ? undefined : { traceparent }),
    ...(request === undefined ? undefined : { request }),
    data: data as EventData,
  }));
}
