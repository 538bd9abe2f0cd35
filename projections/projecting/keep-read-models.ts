import { asError } from '@waybill/shared-kernel/as-error.js';
import type { ConsumerTuning } from '@waybill/shared-kernel/subscriptions/consume-partition.js';
import { consumerTuning } from '@waybill/shared-kernel/subscriptions/consume-partition.js';
import type { ShapeVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { queueOf } from './follow-partition.js';
import { startProjector, type Projector, type ProjectorDependencies } from './projector.js';
import { changeVersions } from '../rebuild/change-versions.js';
import { Rebuilder, rebuilderTuning, type RebuilderDependencies, type RebuilderTuning } from '../rebuild/rebuilder.js';
import { atVersion, followedVersions, unfollowedVersions } from '../rebuild/versions.js';

export interface KeepDependencies extends ProjectorDependencies, Pick<RebuilderDependencies, 'steadyClock'> {
  readonly readStore: ProjectorDependencies['readStore'] & RebuilderDependencies['readStore'];
}

export interface KeepTuning {
  readonly consumer: ConsumerTuning;
  readonly rebuilder: RebuilderTuning;
  /** Milliseconds between two looks at what is asked for. */
  readonly look: number;
}

export const keepTuning: KeepTuning = { consumer: consumerTuning, rebuilder: rebuilderTuning, look: 500 };

/** Keeps read models up to date, in those versions that are read or about to be. */
export type ReadModelKeeper = Omit<Projector, 'setProjections'>;

/**
 * Keeps up the live version of each read model, and that which a rebuild is making once it is made; whoever holds the
 * first partition sees to rebuilds and to what is left of old versions. Starts even while the read store is down.
 */
export function keepReadModels(
  projections: readonly Projection[],
  dependencies: KeepDependencies,
  tuning: KeepTuning = keepTuning,
): ReadModelKeeper {
  const projector = startProjector([], dependencies, tuning.consumer);
  const report = (fault: Error): void => dependencies.report?.(fault, 'rebuild');
  const rebuilders = projections.map(
    (projection) => new Rebuilder(projection, { ...dependencies, report }, tuning.rebuilder),
  );
  const stopping = new AbortController();
  const { signal } = stopping;
  let lastNames = '';
  let done = '';
  /** By partition, while it is held: whose queues were removed. */
  let removed = new Map<number, Set<string>>();

  async function look(): Promise<void> {
    const found: ShapeVersions[] = [];
    for (const { collection } of projections) found.push(await changeVersions(collection, dependencies.readStore));
    follow(found);
    // Only when their consumers have stopped: one that lost its queue would declare it again.
    if (done === lastNames) await removeQueues(found);
    if (!projector.held().includes(0)) return;
    for (const [index, rebuilder] of rebuilders.entries()) await rebuilder.tend(found[index]!);
  }

  function follow(found: readonly ShapeVersions[]): void {
    const wanted = projections.flatMap((projection, index) =>
      followedVersions(found[index]!).map((version) => atVersion(projection, version)),
    );
    const names = wanted.map(({ collection }) => queueOf(collection)).join();
    if (names === lastNames) return;
    lastNames = names;
    removed = new Map();
    void projector.setProjections(wanted).then(() => {
      done = names;
    });
  }

  async function removeQueues(found: readonly ShapeVersions[]): Promise<void> {
    const unfollowed = projections.flatMap((projection, index) =>
      unfollowedVersions(found[index]!).map((version) => queueOf(atVersion(projection, version).collection)),
    );
    removed = new Map(projector.held().map((partition) => [partition, removed.get(partition) ?? new Set()]));
    for (const [partition, names] of removed) {
      for (const consumer of unfollowed) {
        if (names.has(consumer)) continue;
        await dependencies.broker.remove({ consumer, partition });
        names.add(consumer);
      }
    }
  }

  async function keep(): Promise<void> {
    while (!signal.aborted) {
      try {
        await look();
      } catch (error) {
        report(asError(error));
      }
      await dependencies.timer.sleep(tuning.look, signal);
    }
  }

  const keeping = keep();
  return {
    following: projector.following,
    held: () => projector.held(),
    states: () => projector.states(),
    progress: () => projector.progress(),
    stop: async () => {
      stopping.abort();
      await keeping;
      await Promise.all([projector.stop(), ...rebuilders.map((rebuilder) => rebuilder.stop())]);
    },
  };
}
