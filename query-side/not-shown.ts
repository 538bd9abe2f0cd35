import { degradedView } from '@waybill/projections/quarantine/degraded-view.js';
import { NotFound, Quarantined, type WaybillError } from '@waybill/shared-kernel/errors.js';
import type { Found } from './reading.js';

/**
 * Why there is nothing to show to a caller who may know of it: there is no such thing, or its very first event cannot
 * be applied, so that nobody knows yet what it looks like.
 */
export function notShown(what: string, id: string, found: Found | undefined): WaybillError {
  const degraded = found?.document.degraded;
  return degraded === undefined ? new NotFound(what, id) : new Quarantined(what, id, degradedView(degraded));
}
