import { setImmediate as nextTurn } from 'node:timers/promises';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { PreparedBatch } from './conditional-writes.js';

/** Writes batches of different partitions together; answers for each with its conflicts. */
export type WriteTogether = (batches: readonly PreparedBatch[]) => Promise<readonly (readonly string[])[]>;

interface Commit {
  readonly batch: PreparedBatch;
  readonly resolve: (conflicts: readonly string[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** Documents that are written together at most, unless one batch has more. */
const mostDocuments = 1000;

/**
 * The documents committed to one collection. Those that come while others are written are written together afterwards:
 * every call waits for a majority and its journals, whatever it carries, and the partitions of a projection commit all
 * the time.
 */
export class CommitLane {
  readonly #write: WriteTogether;
  readonly #mostUnderWay: number;
  #waiting: Commit[] = [];
  #underWay = 0;

  /** `mostUnderWay`: groups at a time; with two the next is made and sent while the server works on one. */
  constructor(write: WriteTogether, mostUnderWay = 2) {
    this.#write = write;
    this.#mostUnderWay = mostUnderWay;
  }

  commit(batch: PreparedBatch): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      if (this.#underWay < this.#mostUnderWay) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#underWay += 1;
    // What others commit in this turn goes along.
    await nextTurn();
    while (this.#waiting.length > 0) await this.#writeNext(this.#next());
    this.#underWay -= 1;
  }

  /** The next in line, of each partition one. */
  #next(): readonly Commit[] {
    const group: Commit[] = [];
    const partitions = new Set<number>();
    let documents = 0;
    for (const commit of this.#waiting) {
      const { partition, writes } = commit.batch;
      if (partitions.has(partition)) continue;
      if (group.length > 0 && documents + writes.length > mostDocuments) break;
      partitions.add(partition);
      documents += writes.length;
      group.push(commit);
    }
    this.#waiting = this.#waiting.filter((commit) => !group.includes(commit));
    return group;
  }

  async #writeNext(group: readonly Commit[]): Promise<void> {
    try {
      const conflicts = await this.#write(group.map(({ batch }) => batch));
      for (const [index, { resolve }] of group.entries()) resolve(conflicts[index]!);
    } catch (error) {
      if (error instanceof Unavailable || group.length === 1) for (const { reject } of group) reject(error);
      // What is wrong with one of them must not stop the others.
      else await Promise.all(group.map((commit) => this.#writeNext([commit])));
    }
  }
}
