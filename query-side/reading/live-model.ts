import { lagGauge, type LagGauge } from './freshness.js';
import { liveVersion } from './live-version.js';
import { waitForVersion } from './wait-for-version.js';
import { WriteWatch } from './wait-for-write.js';
import { ReadModelBehind } from '@waybill/shared-kernel/errors.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import type { Wish } from './consistency.js';
import type { Dependencies } from './model.js';

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

export function readLiveOf(projection: Projection, dependencies: Dependencies): ReadLive {
  const { readStore, clock, steadyClock, timer, events } = dependencies;
  const waiting = { readStore, clock: steadyClock, timer, commitSignal: dependencies.commitSignal };
  const live = liveVersion(projection, waiting);
  let current: LiveModel | undefined;
  let changing: Promise<void> | undefined;

  function modelOf(version: Projection): LiveModel {
    return { projection: version, gauge: lagGauge(version, { store: events, readStore, clock, steadyClock }) };
  }

  async function changeTo(version: Projection): Promise<void> {
    const next = modelOf(version);
    await waitForVersion(next.gauge, waiting);
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

  const writes = new WriteWatch(async () => (await present()).projection, waiting);

  async function showing({ write, wait }: Wish): Promise<LiveModel> {
    try {
      for (;;) {
        const version = await writes.shown(write, wait * 1000);
        if (current?.projection === version) return current;
      }
    } catch (error) {
      // What was made from another log never comes to it, and its gauge says so.
      if (error instanceof ReadModelBehind) await current?.gauge.lags();
      throw error;
    }
  }

  // Whoever reads first is to notice a version that came since. What fails now is met again then.
  present().catch(() => undefined);

  return async (wish, read) => {
    for (;;) {
      const model = wish === undefined ? await present() : await showing(wish);
      const answer = await read(model);
      // No answer is given from a version that everybody should have left: see `waitForVersion`.
      if ((await live()) === model.projection) return answer;
    }
  };
}
