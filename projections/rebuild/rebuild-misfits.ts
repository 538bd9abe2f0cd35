import { LogMismatch } from '@waybill/shared-kernel/errors.js';
import { misfits } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { timestamp, type WallClock, type UuidSource } from '@waybill/shared-kernel/ports/clock.js';
import type { LogPositions } from '@waybill/shared-kernel/ports/event-store.js';
import type {
  CollectionCheckpoints,
  CollectionVersionStore,
  Collections,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { changeVersions, liveProjections } from './change-versions.js';
import { none } from './found-differences.js';
import { atVersion, ended, knownVersions, requested } from './versions.js';

export interface RebuildMisfitsDependencies {
  readonly store: LogPositions;
  readonly readStore: CollectionVersionStore & Collections & CollectionCheckpoints;
  readonly clock: WallClock;
  readonly randomness: UuidSource;
}

/**
 * Asks for a rebuild of each read model that was made from another log than this one, or from a later state of it, and
 * answers with their names. One that is under way, or a roll-back, ends as failed where its version is not of this log
 * either. Whoever keeps read models carries it out; until then nothing is answered from them.
 */
export async function rebuildMisfits(
  projections: readonly Projection[],
  dependencies: RebuildMisfitsDependencies,
): Promise<readonly string[]> {
  const { store, readStore, randomness } = dependencies;
  const names: string[] = [];
  for (const { collection } of await liveProjections(projections, readStore)) {
    if ((await misfits(store, await readStore.positions(collection))).length === 0) continue;
    const projection = projections.find((each) => each.collection.name === collection.name)!;
    await endMisfit(projection, dependencies);
    await changeVersions(projection.collection, readStore, (versions) =>
      knownVersions(versions, projection.collection).rebuild === undefined
        ? requested(versions, projection.collection, 'rebuild', randomness.uuid())
        : undefined,
    );
    names.push(collection.name);
  }
  return names;
}

async function endMisfit(
  projection: Projection,
  { store, readStore, clock }: RebuildMisfitsDependencies,
): Promise<void> {
  const { rebuild } = await changeVersions(projection.collection, readStore);
  if (rebuild === undefined) return;
  const { id, kind, version } = rebuild;
  const { collection } = atVersion(projection, version);
  await readStore.declare(collection);
  const [why] = await misfits(store, await readStore.positions(collection));
  if (why === undefined) return;
  const reason = new LogMismatch(`Version ${version} of ${collection.name}`, why).message;
  const endedAt = timestamp(clock);
  const found = { documents: 0, differences: none, mended: none };
  await changeVersions(projection.collection, readStore, (versions) =>
    ended(versions, projection.collection, { id, kind, version, endedAt, result: 'failed', reason, ...found }),
  );
}
