import type { Asker } from '@waybill/infra/http/access.js';
import { degradedView } from '@waybill/projections/quarantine/degraded-view.js';
import { NotFound, Quarantined, StreamCut, Unavailable, type WaybillError } from '@waybill/shared-kernel/errors.js';
import type { StreamCuts } from '@waybill/shared-kernel/ports/event-store.js';
import { requireWhole } from '@waybill/shared-kernel/stream-faults.js';
import { streamName, type Category } from '@waybill/shared-kernel/stream.js';
import type { Found } from './reading.js';

/**
 * Why there is nothing to show to a caller who may know of it: there is no such thing, or its very first event cannot
 * be applied, or is gone, so that nobody knows what it looks like.
 */
export function notFoundOrQuarantined(what: string, id: string, found: Found | undefined): WaybillError {
  const degraded = found?.document.degraded;
  if (degraded === undefined) return new NotFound(what, id);
  const { cut } = degraded;
  if (cut !== undefined) return new StreamCut(cut.stream, cut.firstRevision ?? undefined);
  return new Quarantined(what, id, degradedView(degraded));
}

/**
 * Why there is no document of an aggregate. Operators and auditors learn that its stream was cut where the log says so:
 * of a stream of which nothing is left and nothing was projected nobody knows whose it was.
 */
export async function notThere(
  what: Category,
  id: string,
  { caller: { roles } }: Asker,
  events: StreamCuts,
): Promise<WaybillError> {
  if (roles.includes('operator') || roles.includes('auditor')) {
    try {
      await requireWhole(events, streamName(what, id));
    } catch (error) {
      if (error instanceof StreamCut) return error;
      // Reading needs the read models alone.
      if (!(error instanceof Unavailable)) throw error;
    }
  }
  return new NotFound(what, id);
}
