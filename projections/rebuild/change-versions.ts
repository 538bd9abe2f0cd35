import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { CollectionVersions, ShapeVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { CollectionSpec, CollectionVersionStore, Collections } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { atVersion, begun, knownVersions } from './versions.js';

/** Rounds of one change in which others may be quicker. */
const mostConflicts = 100;

/**
 * The versions of a read model; its first one is begun where there is none. With a `change`, once that is written;
 * what it throws goes through, and it is asked again whenever somebody else was quicker.
 */
export async function changeVersions(
  collection: CollectionSpec,
  readStore: CollectionVersionStore,
  change: (versions: CollectionVersions) => CollectionVersions | undefined = () => undefined,
): Promise<ShapeVersions> {
  const { name } = collection;
  for (let round = 0; round < mostConflicts; round += 1) {
    const versions = await readStore.versions(name);
    const first = begun(versions, collection);
    if (versions === undefined || first !== undefined) {
      if (first !== undefined) await readStore.saveVersions(name, first);
      continue;
    }
    const next = change(versions);
    if (next === undefined) return knownVersions(versions, collection);
    if (await readStore.saveVersions(name, next)) return knownVersions(next, collection);
  }
  throw new Unavailable('read store', `Others kept changing the versions of ${name}.`);
}

/** The projections onto the versions that are read now, declared. */
export async function liveProjections(
  projections: readonly Projection[],
  readStore: CollectionVersionStore & Collections,
): Promise<readonly Projection[]> {
  const live: Projection[] = [];
  for (const projection of projections) {
    const versions = await changeVersions(projection.collection, readStore);
    const onto = atVersion(projection, versions.live);
    await readStore.declare(onto.collection);
    live.push(onto);
  }
  return live;
}
