import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';

/**
 * An event as timelines show it, with its payload as the reader may see it. A payment token is nobody's to read,
 * whatever else of the payload is shown.
 */
export function timelineEvent(event: KnownEvent, data: object) {
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
