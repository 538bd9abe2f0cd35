import { partitionCount } from './partition.js';
import type { Progress } from '../subscriptions/stall-detector.js';

/** Work on one partition. */
export interface PartitionWork {
  /**
   * How far each part of the work has come. If a part has something to do and does not move, the partition may be given
   * to another process; work that answers with nothing is left alone. It rejects if this is not known.
   */
  progress?(): readonly Progress[] | Promise<readonly Progress[]>;
  /** Stops the work. Resolves when everything in flight is finished. */
  stop(): Promise<void>;
}

/**
 * Begins the work on a partition that this process was given. The work is stopped, and has finished, before the
 * partition is given to another process. Partitions that are given together are begun in one turn of the event loop. If
 * a partition comes back, others have worked on it meanwhile, so nothing remembered of it counts.
 */
export type WorkOnPartition = (partition: number) => PartitionWork;

export interface Assignment {
  /** The partitions of this process now, rising. */
  held(): readonly number[];
  /** Stops the work on all of them and gives them back. */
  stop(): Promise<void>;
}

/** Divides the partitions among the processes of a group, such as `projector`: each has one of them at a time. */
export type AssignPartitions = (group: string, work: WorkOnPartition) => Assignment;

/** All partitions at once: for a process that is alone. */
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
