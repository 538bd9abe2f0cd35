import { lagGauge, type LagGauge } from '@waybill/projections/freshness.js';
import { liveVersion } from '@waybill/projections/live-version.js';
import { waitForVersion } from '@waybill/projections/wait-for-version.js';
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
 * Reads one answer from the version that is read now; with a wish, from one that shows its write. `read` is asked again
 * where another version came meanwhile. Throws `ReadModelBehind` where the wish takes too long.
 *
 * No answer is older than one that was given before, by this or another who reads the same read model: where the
 * version changes, answers wait until the new one has caught up (`waitForVersion`).
 */
export type ReadLive = <T>(wish: Wish | undefined, read: (model: LiveModel) => Promise<T>) => Promise<T>;

export function readLiveOf(projection: Projection, means: Means): ReadLive {
  const { readStore, clock, events } = means;
  const live = liveVersion(projection, means);
  let current: LiveModel | undefined;
  let changing: Promise<void> | undefined;

  function modelOf(version: Projection): LiveModel {
    return { projection: version, gauge: lagGauge(version, { store: events, readStore, clock }) };
  }

  async function changeTo(version: Projection): Promise<void> {
    const next = modelOf(version);
    await waitForVersion(next.gauge, means);
    current = next;
  }

  async function present(): Promise<LiveModel> {
    for (;;) {
      const version = await live();
      current ??= modelOf(version);
      if (current.projection === version) return current;
      changing ??= changeTo(version).finally(() => {
        changing = undefined;
      });
      await changing;
    }
  }

  async function showing({ write, wait }: Wish): Promise<LiveModel> {
    for (;;) {
      const version = await waitForWrite(async () => (await present()).projection, write, wait * 1000, means);
      if (current?.projection === version) return current;
    }
  }

  // Whoever reads first is to notice a version that came since. What fails now is met again then.
  present().catch(() => undefined);

  return async (wish, read) => {
    for (;;) {
      const model = wish === undefined ? await present() : await showing(wish);
      const answer = await read(model);
      // Nothing is told of a version that everybody is to have left: see `waitForVersion`.
      if ((await live()) === model.projection) return answer;
    }
  };
}
