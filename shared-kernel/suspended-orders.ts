import { Unavailable } from './errors.js';
import { partitionOf } from './partition.js';
import { timestamp, type Clock } from './ports/clock.js';
import { beginning, type EventStore } from './ports/event-store.js';
import type { CollectionSpec, Degraded, DocumentWrite, ReadStore, StoredDocument } from './ports/read-store.js';
import type { Suspension } from './suspension.js';

/**
 * Where operators find the orders whose fulfilment is suspended: by key, as the quarantined documents of a collection
 * like any other. The log is the truth (`suspension.ts`); this is made from it by the process manager, which keeps its
 * positions in the same store, so where one is lost the other is too, and both are made anew.
 */
export const suspendedOrders: CollectionSpec = {
  name: 'fulfilment',
  version: 1,
  fields: { since: 'text' },
  multiple: [],
  order: 'since',
  indexes: [],
};

export interface SuspendedOrdersMeans {
  readonly readStore: Pick<ReadStore, 'load' | 'commit'>;
  readonly store: Pick<EventStore, 'readStream'>;
  readonly clock: Clock;
}

/** Rounds in which other writers may win. */
const mostConflicts = 10;

/**
 * Notes how the fulfilment of an order stands after the last suspension that its stream tells of. What is noted never
 * goes back to an earlier one; again is silence. `error`: what went wrong, where more is known of it than the log says.
 */
export async function noteSuspension(
  orderId: string,
  suspension: Suspension,
  means: SuspendedOrdersMeans,
  error = String(suspension.suspended.data['error']),
): Promise<void> {
  const { suspended, resumed, since } = suspension;
  const { revision } = resumed ?? suspended;
  for (let round = 0; round <= mostConflicts; round += 1) {
    const [stored] = await means.readStore.load(suspendedOrders, [orderId]);
    if ((stored?.revisions['fulfilment'] ?? -1) >= revision) return;
    const degraded = resumed === undefined ? await degradedBy(suspension, error, means) : undefined;
    const write: DocumentWrite = {
      key: orderId,
      ...expectedOf(stored),
      revisions: { fulfilment: revision },
      sections: {},
      fields: { single: { since }, multiple: {} },
      projectedAt: timestamp(means.clock),
      ...(degraded !== undefined && { degraded }),
    };
    const batch = { collection: suspendedOrders, partition: partitionOf(orderId), writes: [write] };
    if ((await means.readStore.commit({ ...batch, position: beginning })).length === 0) return;
  }
  throw new Unavailable('read store', 'Other process managers kept winning.');
}

function expectedOf(stored: StoredDocument | undefined): Pick<DocumentWrite, 'expected' | 'expectedDegraded'> {
  const degraded = stored?.degraded;
  return { expected: stored?.revisions, ...(degraded !== undefined && { expectedDegraded: degraded }) };
}

async function degradedBy(
  { suspended, since }: Suspension,
  error: string,
  { store }: SuspendedOrdersMeans,
): Promise<Degraded> {
  const { stream, revision } = suspended.data;
  const found = typeof stream === 'string' && typeof revision === 'number';
  const [event = suspended] = found ? await store.readStream(stream, revision, 1) : [];
  const { id, type, position } = event;
  const named = { id, stream: event.stream, revision: event.revision, position, type };
  return { since, triedAt: suspended.recordedAt, error, event: named, seen: {} };
}
