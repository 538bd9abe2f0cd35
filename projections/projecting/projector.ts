import type { AssignPartitions, PartitionWork } from '@waybill/shared-kernel/partitions/assignment.js';
import { consumerTuning, type ConsumerTuning } from '@waybill/shared-kernel/subscriptions/consume-partition.js';
import { LogMismatch } from '@waybill/shared-kernel/errors.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import type { Progress } from '@waybill/shared-kernel/subscriptions/stall-detector.js';
import {
  followTogether,
  PartitionFollower,
  queueOf,
  type FollowDependencies,
  type PartitionState,
} from './follow-partition.js';

export interface ProjectorDependencies extends FollowDependencies {
  readonly assign: AssignPartitions;
}

export interface Projector {
  /** Resolves when what it was given first is caught up and followed, or when it was stopped before. */
  readonly following: Promise<void>;
  /** Partitions it was given, rising. */
  held(): readonly number[];
  /** Of what is followed; empty until then. */
  states(): readonly PartitionState[];
  /** How far each has come: of what is followed, and of what cannot be caught up. */
  progress(): readonly Progress[];
  /**
   * Keeps up these from now on, each known by name and version of its collection: the new ones are caught up first,
   * together; those that are left out finish what is being written and stop. Resolves when all of that is so.
   */
  setProjections(projections: readonly Projection[]): Promise<void>;
  /** Finishes what is being written, then stops. */
  stop(): Promise<void>;
}

/**
 * Keeps read models up to date until it is stopped, in the partitions that it is assigned: catches up, reading the
 * log once for all that begins together, then follows the broker, each partition of each projection on its own.
 */
export function startProjector(
  projections: readonly Projection[],
  dependencies: ProjectorDependencies,
  tuning: ConsumerTuning = consumerTuning,
): Projector {
  const followers = new Set<PartitionFollower>();
  const held = new Set<number>();
  let current = projections;
  let given: PartitionFollower[] = [];
  let ending: Promise<unknown> = Promise.resolve();
  let firstFollows = (): void => {};
  const following = new Promise<void>((resolve) => {
    firstFollows = resolve;
  });

  function add(projection: Projection, partition: number): PartitionFollower {
    const follower = new PartitionFollower(projection, partition);
    followers.add(follower);
    return follower;
  }

  function progressOf(which: (follower: PartitionFollower) => boolean): readonly Progress[] {
    return [...followers].filter(which).flatMap((follower) => follower.progress() ?? []);
  }

  async function begin(some: readonly PartitionFollower[]): Promise<void> {
    await followTogether(some, dependencies, tuning);
    if (some.some((follower) => follower.state() !== undefined)) firstFollows();
  }

  async function end(which: (follower: PartitionFollower) => boolean): Promise<void> {
    const ending = [...followers].filter(which);
    await Promise.all(ending.map((follower) => follower.stop()));
    for (const follower of ending) followers.delete(follower);
  }

  /** Those that are given in one turn begin together. */
  function work(partition: number): PartitionWork {
    if (given.length === 0) {
      queueMicrotask(() => {
        const together = given;
        given = [];
        void begin(together);
      });
    }
    held.add(partition);
    given.push(...current.map((projection) => add(projection, partition)));
    const isOfIt = (follower: PartitionFollower): boolean => follower.partition === partition;
    return {
      // What is not of this log stands still wherever it is: no reason to give the others away.
      progress: () => progressOf(isOfIt).filter(({ fault }) => !(fault instanceof LogMismatch)),
      stop: () => {
        held.delete(partition);
        return end(isOfIt);
      },
    };
  }

  /** What is to be followed and is not yet. */
  function missing(): readonly (readonly [Projection, number])[] {
    const present = new Set([...followers].map(({ queue, partition }) => `${queue}/${partition}`));
    return [...held].flatMap((partition) =>
      current
        .filter(({ collection }) => !present.has(`${queueOf(collection)}/${partition}`))
        .map((projection) => [projection, partition] as const),
    );
  }

  async function setProjections(next: readonly Projection[]): Promise<void> {
    const wanted = new Set(next.map(({ collection }) => queueOf(collection)));
    current = next;
    // One that is left out and wanted again begins when it has ended.
    ending = Promise.all([ending, end(({ queue }) => !wanted.has(queue))]);
    await ending;
    await begin(missing().map(([projection, partition]) => add(projection, partition)));
  }

  const assignment = dependencies.assign('projector', work);
  return {
    following,
    held: () => assignment.held(),
    states: () => [...followers].flatMap((follower) => follower.state() ?? []),
    progress: () => progressOf(() => true),
    setProjections,
    stop: async () => {
      await assignment.stop();
      firstFollows();
    },
  };
}
