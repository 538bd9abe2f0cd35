import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Happening } from './history.js';

/** What a log would hold of these, appended one after the other, the positions 10 apart. */
export function recorded(happenings: readonly Happening[]): readonly RecordedEvent[] {
  const revisions = new Map<string, number>();
  return happenings.map(({ stream, event }, index) => {
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    return { ...event, stream, revision, position: (index + 1) * 10, recordedAt: event.occurredAt };
  });
}

export function known(happenings: readonly Happening[]): readonly KnownEvent[] {
  return recorded(happenings).map((event) => upcast(event));
}
