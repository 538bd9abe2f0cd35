import { lagGauge, type LagGauge } from '@waybill/projections/freshness.js';
import { liveVersion } from '@waybill/projections/live-version.js';
import { waitForWrite } from '@waybill/projections/wait-for-write.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import type { Wish } from './consistency.js';
import type { Means } from './model.js';

/** The version of a read model from which one answer is read, and how far it is behind. */
export interface LiveModel {
  readonly projection: Projection;
  readonly gauge: LagGauge;
}

/**
 * The version that is read now; with a wish, one that shows its write. Ask once for each answer. Throws
 * `ReadModelBehind` where the wish takes too long.
 */
export type FindLiveModel = (wish: Wish | undefined) => Promise<LiveModel>;

export function liveModelOf(projection: Projection, means: Means): FindLiveModel {
  const { readStore, clock, events } = means;
  const live = liveVersion(projection, means);
  let found: LiveModel | undefined;
  return async (wish) => {
    const version = wish === undefined ? await live() : await waitForWrite(live, wish.write, wish.wait * 1000, means);
    if (found?.projection !== version) {
      found = { projection: version, gauge: lagGauge(version.collection, { store: events, readStore, clock }) };
    }
    return found;
  };
}
