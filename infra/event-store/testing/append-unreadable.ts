import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';

/** Appends an event without a partition key, as only a fault of a program can. */
export async function appendUnreadable(store: EventStore, stream: string, expectedRevision: number): Promise<void> {
  const { partitionKey: _, ...event } = newEvent();
  await store.append(stream, expectedRevision, [event as NewEvent]);
}
