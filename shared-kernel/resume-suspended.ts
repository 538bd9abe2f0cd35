import { currentVersions } from './events/catalogue.js';
import type { FulfilmentResumed } from './events/fulfilment.js';
import { eventIdOf } from './idempotency.js';
import type { Actor, EventData } from './message.js';
import { timestamp, type Clock } from './ports/clock.js';
import type { Appended, EventStore } from './ports/event-store.js';
import { streamName } from './stream.js';
import { readSuspensions } from './suspension.js';

export interface ResumeMeans {
  readonly store: Pick<EventStore, 'append' | 'readStream'>;
  readonly clock: Clock;
  readonly actor: Actor;
  /** Why it is thought to go well now. */
  readonly reason: string | null;
}

/**
 * Has the suspended fulfilment of an order go on, from the event at which it stands: the process manager does it when
 * it comes to this in the log. `undefined`: it is not suspended. Of several at once one is in the log, for all of them.
 * Rejects with `WrongExpectedRevision` where something else was quicker.
 */
export async function resumeSuspended(orderId: string, means: ResumeMeans): Promise<Appended | undefined> {
  const { store, clock, actor, reason } = means;
  const { revision, last } = await readSuspensions(store, orderId);
  if (last === undefined || last.resumed !== undefined) return undefined;
  const { id, correlationId } = last.suspended;
  const data: FulfilmentResumed = { orderId, reason };
  return store.append(streamName('fulfilment', orderId), revision, [
    {
      id: eventIdOf(id, 0),
      type: 'FulfilmentResumed',
      schemaVersion: currentVersions.FulfilmentResumed,
      occurredAt: timestamp(clock),
      correlationId,
      causationId: id,
      actor,
      partitionKey: orderId,
      data: data as FulfilmentResumed & EventData,
    },
  ]);
}
