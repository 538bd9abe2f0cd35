import { currentVersions } from '@waybill/shared-kernel/events/catalogue.js';
import type { FulfilmentResumed, FulfilmentSuspended } from '@waybill/shared-kernel/events/fulfilment.js';
import { eventIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { Actor, EventData, NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { notBefore } from '@waybill/shared-kernel/occurred.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Appended, Appender, StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import { troubledStream, type DegradedBy } from '@waybill/shared-kernel/ports/read-store.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { readSuspensions } from './suspension.js';

export interface ResumeDependencies {
  readonly store: Appender & StreamEvents;
  readonly clock: WallClock;
  readonly actor: Actor;
  /** The operator's reason, for the log. */
  readonly reason: string | null;
}

/**
 * Resumes the suspended fulfilment of an order, from the event that suspended it. The process manager does so when it
 * comes to the appended event. `undefined`: the order is not suspended. Of several calls at once one is in the log, for
 * all of them. Rejects with `WrongExpectedRevision` if another event was appended meanwhile. `mark`: the suspension
 * that only the list knew, because the stream could not take it; it is appended now.
 */
export async function resumeSuspended(
  orderId: string,
  dependencies: ResumeDependencies,
  mark?: DegradedBy,
): Promise<Appended | undefined> {
  const { store, clock, actor, reason } = dependencies;
  const stream = streamName('fulfilment', orderId);
  const { revision, occurredAt: latest, last } = await readSuspensions(store, orderId);
  const suspended = last?.resumed === undefined ? last?.suspended : undefined;
  const [end] = suspended === undefined && mark !== undefined ? await store.readStream(stream, revision, 1) : [];
  const occurredAt = notBefore(timestamp(clock), latest);
  const said = end && mark && suspendedBy(mark, orderId, end, occurredAt);
  const cause = suspended ?? said;
  if (cause === undefined) return undefined;
  const { id, correlationId } = cause;
  const data: FulfilmentResumed = { orderId, reason };
  return store.append(stream, revision, [
    ...(said === undefined ? [] : [said]),
    {
      id: eventIdOf(id, 0),
      type: 'FulfilmentResumed',
      schemaVersion: currentVersions.FulfilmentResumed,
      occurredAt,
      correlationId,
      causationId: id,
      actor,
      partitionKey: orderId,
      data: data as FulfilmentResumed & EventData,
    },
  ]);
}

/** Its fulfilment goes on from the beginning then: what was done is known as done. */
function suspendedBy(mark: DegradedBy, orderId: string, end: RecordedEvent, occurredAt: string): NewEvent {
  const revision = mark.event?.revision ?? mark.cut?.firstRevision ?? 0;
  const error = mark.event === undefined ? 'StreamCut' : 'StreamUnreadable';
  const data: FulfilmentSuspended = {
    orderId,
    eventId: '',
    eventType: '',
    stream: troubledStream(mark),
    revision,
    error,
  };
  return {
    id: eventIdOf(end.id, 0),
    type: 'FulfilmentSuspended',
    schemaVersion: currentVersions.FulfilmentSuspended,
    occurredAt,
    correlationId: end.correlationId,
    causationId: end.id,
    partitionKey: orderId,
    data: data as FulfilmentSuspended & EventData,
  };
}
