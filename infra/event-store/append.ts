import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';

/** An append on its way into a log, its events as JSON text, made once, where the append was asked for. */
export interface Append {
  readonly stream: string;
  readonly expected: number;
  readonly bodies: readonly string[];
}

/** Throws `RangeError` for what no caller may ask: no events, or a revision that is none. */
export function assertAppendable(expected: number, events: readonly NewEvent[]): void {
  if (events.length === 0) throw new RangeError('an append needs at least one event');
  if (!Number.isSafeInteger(expected) || expected < -1) throw new RangeError(`not a revision: ${expected}`);
}

/** Throws as `assertAppendable` does. */
export function appendOf(stream: string, expected: number, events: readonly NewEvent[]): Append {
  assertAppendable(expected, events);
  return { stream, expected, bodies: events.map((event) => JSON.stringify(event)) };
}

/** The event that a body and what the store gave it make. */
export function recordedEvent(
  position: number,
  stream: string,
  revision: number,
  recordedAt: string,
  body: string,
): RecordedEvent {
  // Assigning is twice as quick as a copy, and this runs for every event of every scan.
  const event = JSON.parse(body) as { -readonly [Field in keyof RecordedEvent]: RecordedEvent[Field] };
  event.stream = stream;
  event.revision = revision;
  event.position = position;
  event.recordedAt = recordedAt;
  return event;
}

/** Whether two bodies are the same event: the same id. */
export function isSameEvent(one: string, other: string): boolean {
  return one === other || idOf(one) === idOf(other);
}

function idOf(body: string): string {
  return (JSON.parse(body) as NewEvent).id;
}

export function closedStore(): Unavailable {
  return new Unavailable('event store', 'The event store is closed.');
}
