import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { StreamEvents, Appender, StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import {
  isQuarantined,
  type QuarantinedDocument,
  type DocumentStore,
  type ConsumerCheckpoints,
} from '@waybill/shared-kernel/ports/read-store.js';
import { takeFaultBack } from '@waybill/command-side/fulfilment/suspension/note-suspension.js';
import { resumeSuspended } from '@waybill/command-side/fulfilment/suspension/resume-suspended.js';
import { faultOfStream, isByFault, whatCanBeRead } from '@waybill/shared-kernel/stream-faults.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import type { Actor, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { waitForFulfilment, type WaitForFulfilmentDependencies } from './wait-for-fulfilment.js';
import { entryOf, type QuarantineEntry } from '@waybill/projections/quarantine/entries.js';

/** The orders that the process manager holds back, beside the documents that projectors do. */
export const suspendedFulfilment = { collection: suspendedOrders } as const;

/** What of an order waits for its fulfilment to go on, in the order of the log. */
export async function waitingForFulfilment(
  { key, degraded }: QuarantinedDocument,
  store: StreamEvents,
): Promise<readonly RecordedEvent[]> {
  const found: RecordedEvent[] = [];
  for (const stream of [streamName('order', key), streamName('delivery', deliveryIdOf(key))]) {
    const { events } = await whatCanBeRead(store, stream);
    found.push(...events.filter(({ position }) => position >= (degraded.event?.position ?? 0)));
  }
  return found.sort((one, other) => one.position - other.position);
}

export async function suspendedEntry(document: QuarantinedDocument, store: StreamEvents): Promise<QuarantineEntry> {
  const { length: waiting } = await waitingForFulfilment(document, store);
  return { ...entryOf(suspendedFulfilment, document), waiting };
}

export interface ReleaseDependencies extends WaitForFulfilmentDependencies {
  readonly store: Appender & StreamReader;
  readonly readStore: DocumentStore & ConsumerCheckpoints;
  readonly clock: WallClock;
  readonly actor: Actor;
  readonly reason: string | null;
}

/**
 * Has the process manager go on with an order, and waits until it has come to that. `taken`: it has; `again`: how
 * it stands, where it failed again.
 */
export async function releaseFulfilment(
  orderId: string,
  dependencies: ReleaseDependencies,
): Promise<{ readonly taken: boolean; readonly again: QuarantinedDocument | undefined }> {
  const [before] = await dependencies.readStore.load(suspendedOrders, [orderId]);
  const mark = before?.degraded !== undefined && isByFault(before.degraded) ? before.degraded : undefined;
  if (mark !== undefined) {
    const isStill = (await faultOfStream(dependencies.store, streamName('fulfilment', orderId))) !== undefined;
    if (isStill) return { taken: true, again: before && isQuarantined(before) ? before : undefined };
  }
  const resumed = await resumeSuspended(orderId, dependencies, mark);
  if (resumed === undefined) {
    if (mark !== undefined) await takeFaultBack(orderId, dependencies);
    return { taken: true, again: undefined };
  }
  if (!(await waitForFulfilment(orderId, resumed.position, dependencies))) return { taken: false, again: undefined };
  const [stored] = await dependencies.readStore.load(suspendedOrders, [orderId]);
  const isAgain = stored !== undefined && (stored.revisions['fulfilment'] ?? -1) > resumed.revision;
  return { taken: true, again: isAgain && isQuarantined(stored) ? stored : undefined };
}
