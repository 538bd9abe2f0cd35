import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Collections, CollectionVersionStore, ChangeCounter } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';

export interface LiveVersionDependencies {
  readonly readStore: Collections & CollectionVersionStore & ChangeCounter;
  /** A steady one. */
  readonly clock: SteadyClock;
}

/**
 * The version of a read model that is read now, as a projection onto its collection, which is declared. Ask once for
 * each answer and read all of it there, so that it is of one version. The same object as long as the version is the
 * same.
 */
export type LiveVersion = () => Promise<Projection>;

/**
 * Milliseconds for which an answer is trusted without asking: so long a reader may still read the version that was
 * switched away, which is there and whole.
 */
export const trusted = 100;

/** Cheap when asked often. */
export function liveVersion(projection: Projection, { readStore, clock }: LiveVersionDependencies): LiveVersion {
  let known: { readonly live: Projection; readonly change: number } | undefined;
  let trustedUntil = -Infinity;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const change = readStore.changeCounter();
    const now = clock.now();
    if (known?.change !== change) {
      const [found] = await liveProjections([projection], readStore);
      const isSame = known?.live.collection.version === found!.collection.version;
      known = { live: isSame ? known!.live : found!, change };
    }
    trustedUntil = now + trusted;
  }

  return async () => {
    if (clock.now() >= trustedUntil) {
      looking ??= look().finally(() => {
        looking = undefined;
      });
      await looking;
    }
    return known!.live;
  };
}
