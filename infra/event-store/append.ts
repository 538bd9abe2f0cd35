import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';

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

/** Whether two bodies are the same event: the same id. */
export function isSameEvent(one: string, other: string): boolean {
  return one === other || idOf(one) === idOf(other);
}

/** `undefined` of a body that is not JSON. */
function idOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as NewEvent).id;
  } catch {
    return undefined;
  }
}

export function closedStore(): Unavailable {
  return new Unavailable('event store', 'The event store is closed.');
}
