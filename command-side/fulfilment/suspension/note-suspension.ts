import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { EventData } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { logBeginning } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import type {
  Degraded,
  DocumentWrite,
  StoredDocument,
  DocumentStore,
} from '@waybill/shared-kernel/ports/read-store.js';
import { markedFor, readEvent, type StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { suspendedOrders, suspendedProjection, type SuspendedSection } from './suspended-orders.js';
import type { Suspension } from './suspension.js';

export interface NotingDependencies {
  readonly readStore: DocumentStore;
  readonly store: StreamEvents;
  readonly clock: WallClock;
}

/** How many write conflicts are met before it gives up. */
const mostConflicts = 10;

/**
 * Writes the last suspension of an order's fulfilment into the list of suspended orders. The list never goes back to an
 * earlier suspension; a repeat is a no-op. `error`: the fault, if more is known of it than the log says.
 */
export async function noteSuspension(
  orderId: string,
  suspension: Suspension,
  dependencies: NotingDependencies,
  error = String(suspension.suspended.data['error']),
): Promise<void> {
  const { revision } = suspension.resumed ?? suspension.suspended;
  await writeOver(orderId, dependencies.readStore, async (stored) => {
    if ((stored?.revisions['fulfilment'] ?? -1) >= revision) return undefined;
    return suspensionWrite(orderId, suspension, stored, dependencies, error);
  });
}

/**
 * Writes into the list that a fulfilment's stream takes no more events or cannot be read, so that the stream itself
 * cannot say that the order is suspended. A repeat is a no-op.
 */
export async function noteFault(
  orderId: string,
  fault: StreamFault,
  { readStore, clock }: Pick<NotingDependencies, 'readStore' | 'clock'>,
): Promise<'noted' | 'known'> {
  const isNew = await writeOver(orderId, readStore, (stored) => {
    if (stored?.degraded !== undefined) return undefined;
    const { revisions = {}, sections = {} } = stored ?? {};
    const now = timestamp(clock);
    const fields = suspendedProjection.fields(sections);
    return {
      key: orderId,
      expected: stored?.revisions,
      revisions,
      sections,
      fields,
      projectedAt: now,
      degraded: markedFor(fault, now),
    };
  });
  return isNew ? 'noted' : 'known';
}

/** Removes that fault from the list: the stream is whole again. */
export async function takeFaultBack(
  orderId: string,
  { readStore, clock }: Pick<NotingDependencies, 'readStore' | 'clock'>,
): Promise<void> {
  await writeOver(orderId, readStore, (stored) => {
    if (stored?.degraded === undefined) return undefined;
    const { revisions, sections, degraded } = stored;
    const fields = suspendedProjection.fields(sections);
    const conditions = { expected: revisions, expectedDegraded: degraded };
    return { key: orderId, ...conditions, revisions, sections, fields, projectedAt: timestamp(clock) };
  });
}

/** Writes what is made of the document that is stored, on condition that it still is. False: nothing was to be written. */
async function writeOver(
  orderId: string,
  readStore: NotingDependencies['readStore'],
  writeOf: (stored: StoredDocument | undefined) => Promise<DocumentWrite | undefined> | DocumentWrite | undefined,
): Promise<boolean> {
  for (let round = 0; round <= mostConflicts; round += 1) {
    const [stored] = await readStore.load(suspendedOrders, [orderId]);
    const write = await writeOf(stored);
    if (write === undefined) return false;
    const batch = { collection: suspendedOrders, partition: partitionOf(orderId), writes: [write] };
    if ((await readStore.commit({ ...batch, position: logBeginning })).length === 0) return true;
  }
  throw new Unavailable('read store', 'There were too many conflicts with other process managers.');
}

/** The document that says so, over the one that is stored. */
export async function suspensionWrite(
  orderId: string,
  suspension: Suspension,
  stored: StoredDocument | undefined,
  dependencies: Pick<NotingDependencies, 'store' | 'clock'>,
  error = String(suspension.suspended.data['error']),
): Promise<DocumentWrite> {
  const { suspended, resumed } = suspension;
  const section = sectionOf(suspension);
  const degraded = resumed === undefined ? await degradedBy(suspension, error, dependencies) : undefined;
  return {
    key: orderId,
    expected: stored?.revisions,
    ...(stored?.degraded !== undefined && { expectedDegraded: stored.degraded }),
    revisions: { fulfilment: (resumed ?? suspended).revision },
    sections: { fulfilment: section },
    fields: suspendedProjection.fields({ fulfilment: section }),
    projectedAt: timestamp(dependencies.clock),
    ...(degraded !== undefined && { degraded }),
  };
}

function sectionOf({ suspended, resumed, since }: Suspension): SuspendedSection {
  const { eventId, eventType, stream, revision } = suspended.data as SuspendedSection['event'] & EventData;
  const event = { eventId, eventType, stream, revision };
  return { since, isSuspended: resumed === undefined, event, resumedBy: resumed?.id ?? null };
}

async function degradedBy(
  { suspended, since }: Suspension,
  error: string,
  { store }: Pick<NotingDependencies, 'store'>,
): Promise<Degraded> {
  const { stream, revision } = suspended.data;
  const found = typeof stream === 'string' && typeof revision === 'number';
  const event = (found ? await readEvent(store, stream, revision) : undefined) ?? suspended;
  const { id, type, position } = event;
  const named = { id, stream: event.stream, revision: event.revision, position, type };
  return { since, triedAt: suspended.recordedAt, error, event: named, seen: {} };
}
