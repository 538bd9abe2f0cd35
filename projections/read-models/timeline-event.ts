import { EventFromTheFuture } from '@waybill/shared-kernel/errors.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';

/** An event to be shown. */
export type LegibleEvent = Omit<RecordedEvent, 'data'> & { readonly data: object };

/** The event as this program reads it; where its payload cannot be brought there, as the log holds it. */
export function legibleEvent(event: RecordedEvent): LegibleEvent {
  try {
    return upcast(event);
  } catch (error) {
    if (error instanceof EventFromTheFuture) throw error;
    return event;
  }
}

/**
 * An event as timelines show it, with its payload as the reader may see it. A payment token is nobody's to read,
 * whatever else of the payload is shown.
 */
export function timelineEvent(event: LegibleEvent, data: object) {
  const { stream, revision, position, type, schemaVersion, occurredAt, recordedAt, actor } = event;
  const { correlationId, causationId } = event;
  return {
    stream,
    revision,
    position: String(position),
    type,
    schemaVersion,
    occurredAt,
    recordedAt,
    ...(actor !== undefined && { actor }),
    correlationId,
    causationId,
    data: type === 'OrderPlaced' ? { ...data, paymentToken: null } : data,
  };
}
