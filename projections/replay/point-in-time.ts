import type { RecordedEvent } from '@waybill/shared-kernel/message.js';

/** A place in the past; both bounds are inclusive and RFC 3339 UTC with milliseconds. */
export interface PointInTime {
  /** By what had happened. */
  readonly asOf?: string;
  /** By what had been recorded. */
  readonly knownAt?: string;
}

/** Whether an event belongs to what is asked for. */
export function isKnown(event: Pick<RecordedEvent, 'occurredAt' | 'recordedAt'>, { asOf, knownAt }: PointInTime) {
  return (asOf === undefined || event.occurredAt <= asOf) && (knownAt === undefined || event.recordedAt <= knownAt);
}
