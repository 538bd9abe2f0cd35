import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import type { DocumentWrite, StoredDocument, Collections } from '@waybill/shared-kernel/ports/read-store.js';
import { suspensionWrite } from '@waybill/command-side/fulfilment/suspension/note-suspension.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { suspendedProjection, suspensionTypes } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { readSuspensions } from '@waybill/command-side/fulfilment/suspension/suspension.js';
import { worklist, worklistProjection } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import type { AuditedProjection } from '@waybill/projections/audit/audited-document.js';
import { CannotApply, emptyDraft, foldRecorded } from '@waybill/projections/read-models/fold-document.js';

export interface ListDependencies {
  readonly store: StreamEvents;
  readonly clock: WallClock;
}

/** A read model that the process manager keeps itself. */
export interface FulfilmentList {
  readonly projection: AuditedProjection;
  /** The document of an order as the log has it, over the one that is stored. */
  readonly anew: (
    orderId: string,
    stored: StoredDocument | undefined,
    dependencies: ListDependencies,
  ) => Promise<DocumentWrite>;
}

const worklistOfOrders: FulfilmentList = {
  projection: worklistProjection,
  anew: async (orderId, stored, { store, clock }) => {
    const draft = emptyDraft();
    try {
      for await (const event of readWholeStream(store, streamName('fulfilment', orderId))) {
        foldRecorded(worklistProjection, draft, 'fulfilment', event);
      }
    } catch (error) {
      // The list says how it stood before.
      if (!(error instanceof CannotApply)) throw error;
    }
    const { revisions, sections } = draft;
    const fields = worklistProjection.fields(sections);
    return { key: orderId, ...conditions(stored), revisions, sections, fields, projectedAt: timestamp(clock) };
  },
};

const suspendedOrders: FulfilmentList = {
  projection: { ...suspendedProjection, types: suspensionTypes, positionsOf: worklist },
  anew: async (orderId, stored, dependencies) => {
    const { last } = await readSuspensions(dependencies.store, orderId);
    if (last !== undefined) {
      return suspensionWrite(orderId, last, stored, dependencies, stored?.degraded?.error);
    }
    const nothing = { revisions: {}, sections: {}, fields: suspendedProjection.fields({}) };
    return { key: orderId, ...conditions(stored), ...nothing, projectedAt: timestamp(dependencies.clock) };
  },
};

function conditions(stored: StoredDocument | undefined): Pick<DocumentWrite, 'expected' | 'expectedDegraded'> {
  const degraded = stored?.degraded;
  return { expected: stored?.revisions, ...(degraded !== undefined && { expectedDegraded: degraded }) };
}

/** What the process manager keeps beside the read models of the projectors, from the fulfilments' streams alone. */
export const fulfilmentLists: readonly FulfilmentList[] = [worklistOfOrders, suspendedOrders];

/** As audits know them, declared. */
export async function auditedLists(readStore: Collections): Promise<readonly AuditedProjection[]> {
  for (const { projection } of fulfilmentLists) await readStore.declare(projection.collection);
  return fulfilmentLists.map(({ projection }) => projection);
}
