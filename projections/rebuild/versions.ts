import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import type {
  CollectionVersions,
  Rebuild,
  RebuildKind,
  RebuildOutcome,
  RebuildProgress,
  RebuildStep,
  ShapeVersions,
} from '@waybill/shared-kernel/ports/collection-versions.js';
import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';

// What may become of the versions of a read model, as pure functions from one record to the next. `undefined` where
// there is nothing to change. Whoever writes what they answer writes it after the record they were given, or not at all.

const nothingYet: RebuildProgress = { position: 0, head: 0, rate: 0 };

/** The versions of a shape, which is that of a spec in the code. */
export function versionsOfShape(versions: CollectionVersions | undefined, { version: shape }: CollectionSpec) {
  return versions?.shapes[shape];
}

/** As `versionsOfShape`, where they must have been begun. */
export function knownVersions(versions: CollectionVersions | undefined, collection: CollectionSpec): ShapeVersions {
  const known = versionsOfShape(versions, collection);
  if (known === undefined) throw new Error(`the versions of ${collection.name} have not begun`);
  return known;
}

/** A projection onto one of its versions. */
export function atVersion(projection: Projection, version: number): Projection {
  return { ...projection, collection: { ...projection.collection, version } };
}

/** Those that projectors keep up to date. */
export function followedVersions({ live, rebuild }: ShapeVersions): readonly number[] {
  return rebuild === undefined || rebuild.step === 'replaying' ? [live] : [live, rebuild.version];
}

/** Those that may have queues left though nobody follows them, of this shape and of older ones. */
export function unfollowedVersions(versions: ShapeVersions): readonly number[] {
  const { live, previous, rebuild, obsolete } = versions;
  const followed = followedVersions(versions);
  const newest = Math.max(live, previous ?? 0, rebuild?.version ?? 0, ...obsolete);
  return Array.from({ length: newest }, (_, index) => index + 1).filter((version) => !followed.includes(version));
}

/** Gives a shape that is new here its first version, read from the start. */
export function begun(
  versions: CollectionVersions | undefined,
  collection: CollectionSpec,
): CollectionVersions | undefined {
  if (versionsOfShape(versions, collection) !== undefined) return undefined;
  const shape = collection.version;
  // The shape's own number where that is free: so were versions numbered before there were rebuilds.
  const live = Math.max(shape, (versions?.newest ?? 0) + 1);
  return {
    revision: (versions?.revision ?? 0) + 1,
    newest: live,
    shapes: { ...versions?.shapes, [shape]: { live, obsolete: [] } },
  };
}

function replaced(
  versions: CollectionVersions,
  { version: shape }: CollectionSpec,
  next: ShapeVersions,
): CollectionVersions {
  return { ...versions, revision: versions.revision + 1, shapes: { ...versions.shapes, [shape]: next } };
}

/** Asks for a rebuild or a roll-back. Throws `InvalidInput` where one is under way, or there is nothing to go back to. */
export function requested(
  versions: CollectionVersions,
  collection: CollectionSpec,
  kind: RebuildKind,
  id: string,
): CollectionVersions {
  const before = knownVersions(versions, collection);
  const { name } = collection;
  if (before.rebuild !== undefined) {
    const what = before.rebuild.kind === 'rebuild' ? 'A rebuild' : 'A roll-back';
    throw new InvalidInput([], `${what} of ${name} is under way, to version ${before.rebuild.version}.`);
  }
  const version = kind === 'rebuild' ? versions.newest + 1 : before.previous;
  if (version === undefined) {
    throw new InvalidInput(
      [],
      `There is no version of ${name} before version ${before.live} to go back to: it was never rebuilt.`,
    );
  }
  const rebuild: Rebuild = { id, kind, version, step: 'replaying', progress: nothingYet };
  const next = replaced(versions, collection, { ...before, rebuild });
  return { ...next, newest: Math.max(versions.newest, version) };
}

/** Makes somebody the builder of a rebuild, unless another has become it, or has gone on, since it was `seen`. */
export function claimed(
  versions: CollectionVersions,
  collection: CollectionSpec,
  seen: Rebuild,
  builder: string,
): CollectionVersions | undefined {
  const before = knownVersions(versions, collection);
  const { rebuild } = before;
  if (rebuild?.id !== seen.id) return undefined;
  if (rebuild.builder?.id !== seen.builder?.id || rebuild.builder?.beat !== seen.builder?.beat) return undefined;
  return replaced(versions, collection, { ...before, rebuild: { ...rebuild, builder: { id: builder, beat: 0 } } });
}

/** The builder stops before the end. */
export function released(
  versions: CollectionVersions,
  collection: CollectionSpec,
  builder: string,
): CollectionVersions | undefined {
  const before = knownVersions(versions, collection);
  if (before.rebuild?.builder?.id !== builder) return undefined;
  const { builder: _, ...rebuild } = before.rebuild;
  return replaced(versions, collection, { ...before, rebuild });
}

/** The builder says how far it is. `undefined` where it no longer is the builder. */
export function advanced(
  versions: CollectionVersions,
  collection: CollectionSpec,
  builder: string,
  step: RebuildStep,
  progress: RebuildProgress,
): CollectionVersions | undefined {
  const before = knownVersions(versions, collection);
  const { rebuild } = before;
  if (rebuild?.builder?.id !== builder) return undefined;
  const beat = rebuild.builder.beat + 1;
  return replaced(versions, collection, {
    ...before,
    rebuild: { ...rebuild, step, progress, builder: { id: builder, beat } },
  });
}

/**
 * Ends a rebuild: with `switched` its version is the one that is read, and the one before can be gone back to. Anything
 * else leaves what is read as it is.
 */
export function ended(
  versions: CollectionVersions,
  collection: CollectionSpec,
  outcome: RebuildOutcome,
): CollectionVersions | undefined {
  const { rebuild, previous, ...before } = knownVersions(versions, collection);
  if (rebuild?.id !== outcome.id) return undefined;
  const { kind, version } = rebuild;
  if (outcome.result === 'switched') {
    const dropped = previous === undefined || previous === version ? [] : [previous];
    const obsolete = [...before.obsolete, ...dropped];
    return replaced(versions, collection, {
      ...before,
      live: version,
      previous: before.live,
      last: outcome,
      obsolete,
    });
  }
  // What was there before a roll-back failed stays, to look at and to try again.
  const obsolete = kind === 'rollback' ? before.obsolete : [...before.obsolete, version];
  return replaced(versions, collection, {
    ...before,
    ...(previous === undefined ? {} : { previous }),
    last: outcome,
    obsolete,
  });
}

/** A version was dropped. */
export function forgotten(
  versions: CollectionVersions,
  collection: CollectionSpec,
  version: number,
): CollectionVersions | undefined {
  const before = knownVersions(versions, collection);
  if (!before.obsolete.includes(version)) return undefined;
  return replaced(versions, collection, {
    ...before,
    obsolete: before.obsolete.filter((obsolete) => obsolete !== version),
  });
}
