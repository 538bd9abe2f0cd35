import type { RebuildKind, RebuildStep } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { CollectionVersionStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { changeVersions } from '@waybill/projections/rebuild/change-versions.js';
import { counted } from '../text/table.js';

/** What there is of a read model beside the version that is read. */
export interface VersionStatus {
  /** The one that can be gone back to. */
  readonly previous: number | null;
  /** Under way. */
  readonly rebuild: RebuildStatus | null;
}

export interface RebuildStatus {
  readonly kind: RebuildKind;
  readonly version: number;
  readonly step: RebuildStep;
  /** Of the log, how far the step has come and where it ends. */
  readonly position: string;
  readonly head: string;
  readonly eventsPerSecond: number;
  /** Somebody is at it; it goes on when a projector runs. */
  readonly isBegun: boolean;
}

export async function versionStatus(
  { collection }: Projection,
  readStore: CollectionVersionStore,
): Promise<VersionStatus> {
  const { previous = null, rebuild } = await changeVersions(collection, readStore);
  if (rebuild === undefined) return { previous, rebuild: null };
  const { kind, version, step, progress, builder } = rebuild;
  return {
    previous,
    rebuild: {
      kind,
      version,
      step,
      position: String(progress.position),
      head: String(progress.head),
      eventsPerSecond: progress.rate,
      isBegun: builder !== undefined,
    },
  };
}

/** A rebuild under way in a few words. */
export function formatRebuild({
  kind,
  version,
  step,
  position,
  head,
  eventsPerSecond,
  isBegun,
}: RebuildStatus): string {
  const what = `${kind === 'rebuild' ? 'rebuild' : 'roll-back'} to version ${version}`;
  if (!isBegun) return `${what}: waits for a projector`;
  const share = Number(head) === 0 ? 0 : Math.floor((Number(position) / Number(head)) * 100);
  return `${what}: ${step}, ${share} %, ${counted(eventsPerSecond, 'event')}/s`;
}
