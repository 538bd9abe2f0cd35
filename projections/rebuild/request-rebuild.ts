import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type {
  CollectionVersions,
  Rebuild,
  RebuildKind,
  RebuildOutcome,
} from '@waybill/shared-kernel/ports/collection-versions.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { changeVersions } from './change-versions.js';
import { Rebuilder, rebuilderTuning, type RebuilderDependencies, type RebuilderTuning } from './rebuilder.js';
import { knownVersions, requested } from './versions.js';

export interface RequestOptions {
  /** No projector runs: it is done here, and one that was left half-way is gone on with. */
  readonly alone: boolean;
  /** One of the same kind that is under way already is waited for, not refused. */
  readonly joins?: boolean;
  /** Called again and again with the progress so far. */
  readonly onProgress?: (rebuild: Rebuild) => void;
  /** Ends the watching, and the work where it is done here. */
  readonly signal?: AbortSignal;
}

export interface RequestTuning {
  readonly rebuilder: RebuilderTuning;
  /** Milliseconds for which a projector must have done nothing before the work is done here. */
  readonly answerTimeoutMs: number;
  /** Milliseconds for which another who is alone must have done nothing. */
  readonly alonePatience: number;
  /** Milliseconds between two looks. */
  readonly look: number;
}

export const requestTuning: RequestTuning = {
  rebuilder: rebuilderTuning,
  // Longer than projectors take to replace one of them that is gone.
  answerTimeoutMs: 15_000,
  alonePatience: 2_000,
  look: 200,
};

/**
 * Asks for a rebuild, or a roll-back, of a read model and waits for its end. Running projectors do it; where there are
 * none it is done here. `undefined`: `signal` ended the waiting before. Rejects with `InvalidInput` where it is
 * refused, and with whatever stopped it here.
 */
export async function requestRebuild(
  projection: Projection,
  kind: RebuildKind,
  dependencies: Omit<RebuilderDependencies, 'report'>,
  { alone, joins = alone, onProgress, signal }: RequestOptions,
  tuning: RequestTuning = requestTuning,
): Promise<RebuildOutcome | undefined> {
  const { collection } = projection;
  const { readStore, steadyClock, timer, randomness } = dependencies;
  let fault: Error | undefined;
  const rebuilder = new Rebuilder(
    projection,
    { ...dependencies, report: (reported) => (fault = reported) },
    {
      ...tuning.rebuilder,
      answerTimeoutMs: alone ? tuning.alonePatience : tuning.answerTimeoutMs,
      grace: alone ? 0 : tuning.rebuilder.grace,
    },
  );
  const fresh = randomness.uuid();
  const request = (versions: CollectionVersions): CollectionVersions | undefined =>
    joins && knownVersions(versions, collection).rebuild?.kind === kind
      ? undefined
      : requested(versions, collection, kind, fresh);
  const id = (await changeVersions(collection, readStore, request)).rebuild!.id;
  const asked = steadyClock.now();
  try {
    while (signal?.aborted !== true) {
      const versions = await changeVersions(collection, readStore);
      const { rebuild, last } = versions;
      if (fault !== undefined) throw fault;
      if (rebuild?.id === id) onProgress?.(rebuild);
      else if (last?.id !== id)
        throw new Unavailable('read store', `Another rebuild of ${collection.name} came since.`);
      const isLeftToUs = alone || rebuild?.builder !== undefined || steadyClock.now() - asked >= tuning.answerTimeoutMs;
      if (isLeftToUs) await rebuilder.tend(versions);
      if (rebuild?.id !== id) return last;
      await timer.sleep(tuning.look, signal);
    }
    return undefined;
  } finally {
    await rebuilder.stop();
  }
}
