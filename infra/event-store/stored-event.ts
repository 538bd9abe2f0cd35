import { StreamCut, StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { LogPage, StreamMark } from '@waybill/shared-kernel/ports/event-store.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';

/** An event as a log of our own keeps it; `body` is the event that was appended, as JSON text. */
export type StoredEvent = readonly [
  position: number,
  stream: string,
  revision: number,
  recordedAt: string,
  body: string,
];

/** `undefined` where the body is not JSON or has no partition key. */
export function recordedEvent([position, stream, revision, recordedAt, body]: StoredEvent): RecordedEvent | undefined {
  // Assigning is twice as quick as a copy, and this runs for every event of every scan.
  const event = parsed(body) as { -readonly [Field in keyof RecordedEvent]: RecordedEvent[Field] } | null | undefined;
  if (typeof event?.partitionKey !== 'string') return undefined;
  event.stream = stream;
  event.revision = revision;
  event.position = position;
  event.recordedAt = recordedAt;
  return event;
}

/** The events of a stream, forwards or backwards. Throws `StreamUnreadable` at the first that cannot be read, `StreamCut` at a gap. */
export function recordedEvents(stored: readonly StoredEvent[]): readonly RecordedEvent[] {
  requireNoGap(
    stored[0]?.[1] ?? '',
    stored.map(([, , revision]) => revision),
  );
  return stored.map((one) => {
    const event = recordedEvent(one);
    if (event !== undefined) return event;
    const [position, stream, revision] = one;
    throw new StreamUnreadable(stream, revision, position, faultIn(one));
  });
}

/** Throws `StreamCut` where revisions that follow one another in a stream, forwards or backwards, leave one out. */
export function requireNoGap(stream: string, revisions: readonly number[]): void {
  for (let index = 1; index < revisions.length; index += 1) {
    const [one, other] = [revisions[index - 1]!, revisions[index]!];
    if (Math.abs(one - other) > 1) throw new StreamCut(stream, Math.max(one, other), Math.min(one, other) + 1);
  }
}

/** What a part of the log says: its events, and marks, among them those of events that cannot be read. */
export function foundIn(records: readonly (StoredEvent | StreamMark)[]): Pick<LogPage, 'events' | 'marks'> {
  const events: RecordedEvent[] = [];
  const marks: StreamMark[] = [];
  for (const record of records) {
    const event = isMark(record) ? undefined : recordedEvent(record);
    if (event !== undefined) events.push(event);
    else if (isMark(record)) marks.push(record);
    else if (categoryOf(record[1]) !== undefined) marks.push(markOf(record));
  }
  return { events, marks };
}

export function isMark(record: StoredEvent | StreamMark): record is StreamMark {
  return 'why' in record;
}

function markOf(stored: StoredEvent): StreamMark {
  const [position, stream, revision] = stored;
  return { stream, position, why: 'unreadable', revision, detail: faultIn(stored) };
}

function faultIn([, , , , body]: StoredEvent): string {
  return parsed(body) === undefined ? 'its stored body is not JSON' : 'it has no partition key';
}

/** `undefined` where it is not JSON. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
