import { partitionCount } from './partition.js';
import type { Progress } from '../subscriptions/stall-detector.js';

/** Work on one partition. */
export interface PartitionWork {
  /**
   * How far each part of it has come. Where one has something to do and does not move, the partition may be given to
   * somebody else; work that says nothing is left alone. A rejection means that this is not known.
   */
  progress?(): readonly Progress[] | Promise<readonly Progress[]>;
  /** Resolves when everything in flight is finished and nothing more is begun. */
  stop(): Promise<void>;
}

/**
 * Begins the work on a partition that this process was given; it is stopped, and finished, before the partition is
 * given to another. Those that are given together are begun in one turn of the event loop. A partition can come back:
 * others worked on it meanwhile, so nothing that was remembered of it counts.
 */
export type WorkOnPartition = (partition: number) => PartitionWork;

export interface Assignment {
  /** Partitions that are worked on now, rising. */
  held(): readonly number[];
  /** Stops the work on all of them and gives them back. */
  stop(): Promise<void>;
}

/** Divides the partitions among the processes of a group, such as `projector`: each has one of them at a time. */
export type AssignPartitions = (group: string, work: WorkOnPartition) => Assignment;

/** All of them, at once: for the process that is alone. */
export const everyPartition: AssignPartitions = (_group, work) => {
  const begun = Array.from({ length: partitionCount }, (_, partition) => work(partition));
  let held = [...begun.keys()];
  return {
    held: () => held,
    stop: async () => {
      held = [];
      await Promise.all(begun.map((each) => each.stop()));
    },
  };
};
