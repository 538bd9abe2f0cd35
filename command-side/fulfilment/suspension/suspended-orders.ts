import type { FulfilmentSuspended } from '@waybill/shared-kernel/events/fulfilment.js';
import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { streamName } from '@waybill/shared-kernel/stream.js';

/**
 * The list of suspended orders, where operators find them by key, as the quarantined documents of a collection. It is a
 * read model of the suspensions in fulfilment streams. The process manager writes it itself.
 */
export const suspendedOrders: CollectionSpec = {
  name: 'fulfilment',
  version: 2,
  fields: { since: 'text' },
  multiple: [],
  order: 'since',
  indexes: [],
};

/** What it folds; no revision tells of other events. */
export const suspensionTypes: ReadonlySet<string> = new Set(['FulfilmentSuspended', 'FulfilmentResumed']);

/** The last suspension of an order: the section `fulfilment` of its document. */
export interface SuspendedSection {
  /** When it was first suspended, if every resumption since then failed. RFC 3339 UTC. */
  readonly since: string;
  readonly isSuspended: boolean;
  /** The event that could not be handled. */
  readonly event: Pick<FulfilmentSuspended, 'eventId' | 'eventType' | 'stream' | 'revision'>;
  /** Id of what ended the suspension; null while it lasts. */
  readonly resumedBy: string | null;
}

/** To be given no other events than of `suspensionTypes`. */
export const suspendedProjection: Projection = {
  collection: suspendedOrders,
  categories: ['fulfilment'],
  key: ({ partitionKey }) => partitionKey,
  streams: (orderId) => [streamName('fulfilment', orderId)],
  fold: (section, event) => {
    const before = section as SuspendedSection | undefined;
    if (event.type === 'FulfilmentSuspended') {
      const { eventId, eventType, stream, revision } = event.data;
      const since = before?.resumedBy === event.causationId ? before.since : event.recordedAt;
      return { since, isSuspended: true, event: { eventId, eventType, stream, revision }, resumedBy: null };
    }
    if (event.type !== 'FulfilmentResumed' || before?.isSuspended !== true) return section;
    return { ...before, isSuspended: false, resumedBy: event.id };
  },
  fields: ({ fulfilment }) => {
    const section = fulfilment as SuspendedSection | undefined;
    return { single: { since: section?.since ?? null }, multiple: {} };
  },
};
