import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { noStream, type StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { streamName } from '@waybill/shared-kernel/stream.js';

/** The last time that the fulfilment of an order was suspended. */
export interface Suspension {
  /** The event as stored: its type marks a suspension even if its payload cannot be read. */
  readonly suspended: RecordedEvent;
  /** The event that ended it; `undefined`: it lasts. */
  readonly resumed: RecordedEvent | undefined;
  /** When it was first suspended, if every resumption since then failed. RFC 3339 UTC. */
  readonly since: string;
}

/** What the stream of a fulfilment says of its suspensions. */
export interface Suspensions {
  /** Of the stream, −1 where it has no events. */
  readonly revision: number;
  /** When its last event happened, RFC 3339 UTC; `undefined`: it has none. */
  readonly occurredAt: string | undefined;
  /** `undefined`: it never was. */
  readonly last: Suspension | undefined;
}

/**
 * Reads whether the fulfilment of an order is suspended. It looks at the suspensions in the stream only, so it works
 * even if other events of the stream cannot be read.
 */
export async function readSuspensions(store: StreamEvents, orderId: string): Promise<Suspensions> {
  let revision = noStream;
  let occurredAt: string | undefined;
  let last: Suspension | undefined;
  for await (const event of readWholeStream(store, streamName('fulfilment', orderId))) {
    ({ revision, occurredAt } = event);
    if (event.type !== 'FulfilmentSuspended' && event.type !== 'FulfilmentResumed') continue;
    refuseFuture(event);
    if (event.type === 'FulfilmentSuspended') {
      const isAgain = last?.resumed?.id === event.causationId;
      last = {
        suspended: event,
        resumed: undefined,
        since: isAgain && last !== undefined ? last.since : event.recordedAt,
      };
    } else if (last !== undefined && last.resumed === undefined) {
      last = { ...last, resumed: event };
    }
  }
  return { revision, occurredAt, last };
}

/** Whether an event at this position has to wait: the suspension was not ended before it. */
export function isSuspended({ last }: Suspensions, position: number): boolean {
  return last !== undefined && (last.resumed === undefined || position < last.resumed.position);
}
