import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { noStream, type StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { streamName } from '@waybill/shared-kernel/stream.js';

/** The last time that the fulfilment of an order was suspended. */
export interface Suspension {
  /** As the log has it: its type says that it is one, whatever became of its payload. */
  readonly suspended: RecordedEvent;
  /** What ended it; `undefined`: it lasts. */
  readonly resumed: RecordedEvent | undefined;
  /** When it was suspended first, if it was resumed since only to fail again. RFC 3339 UTC. */
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
 * Reads whether the fulfilment of an order is suspended. Of its stream it looks at nothing else, so that it can tell
 * where the rest cannot be read.
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
