import type { WritePoint } from '@waybill/shared-kernel/consistency-token.js';
import { ReadModelBehind } from '@waybill/shared-kernel/errors.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { CommitSignal } from '@waybill/shared-kernel/ports/commit-signal.js';
import type { SteadyClock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { PartitionCheckpoints } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import type { LiveVersion } from './live-version.js';

export interface WaitDependencies {
  readonly readStore: PartitionCheckpoints;
  /** A steady one. */
  readonly clock: SteadyClock;
  readonly timer: Timer;
  /** Without it, or where it is silent, whoever waits looks every few milliseconds. */
  readonly commitSignal?: CommitSignal | undefined;
}

/** Milliseconds between two looks. */
const intervalMs = 4;

interface Waiting {
  /** Of the write. */
  readonly position: number;
  /** When its wait ends, milliseconds. */
  readonly until: number;
  readonly resolve: (projection: Projection) => void;
  readonly reject: (reason: unknown) => void;
}

/** Those who wait for a partition, of whom one looks for all. */
interface Lookout {
  readonly waiting: Set<Waiting>;
  /** Ends the wait before the next look. */
  nap: AbortController;
}

/**
 * Those of a process that wait until a read model shows their writes. One look at a partition's position is for all who
 * wait for that partition, however many they are: the first who comes, whoever came since, a commit, or a few milliseconds
 * have it looked at.
 */
export class WriteWatch {
  readonly #live: LiveVersion;
  readonly #dependencies: WaitDependencies;
  /** By partition; there as long as somebody looks. */
  readonly #lookouts = new Map<number, Lookout>();

  constructor(live: LiveVersion, dependencies: WaitDependencies) {
    this.#live = live;
    this.#dependencies = dependencies;
  }

  /**
   * Resolves when the read model shows a write, with the version that does: when the write's partition has passed its
   * position there, or at once where the read model ignores the stream. Holds for lists too, which then show that write.
   * Rejects with `ReadModelBehind` after `waitTimeoutMs`.
   */
  async shown(write: WritePoint, waitTimeoutMs: number): Promise<Projection> {
    const until = this.#dependencies.clock.now() + waitTimeoutMs;
    const projection = await this.#live();
    const category = categoryOf(write.stream);
    if (category === undefined || !projection.categories.includes(category)) return projection;
    return new Promise((resolve, reject) => {
      this.#join(partitionOf(write.partitionKey), { position: write.position, until, resolve, reject });
    });
  }

  #join(partition: number, one: Waiting): void {
    const others = this.#lookouts.get(partition);
    if (others !== undefined) {
      others.waiting.add(one);
      others.nap.abort();
      return;
    }
    const lookout = { waiting: new Set([one]), nap: new AbortController() };
    this.#lookouts.set(partition, lookout);
    void this.#look(partition, lookout);
  }

  /** Looks again and again until nobody waits. */
  async #look(partition: number, lookout: Lookout): Promise<void> {
    const { readStore, clock, timer, commitSignal } = this.#dependencies;
    const { waiting } = lookout;
    const stopListening = commitSignal?.listen(partition, () => lookout.nap.abort());
    try {
      for (;;) {
        // What happens from here on has it looked at again.
        lookout.nap = new AbortController();
        const projection = await this.#live();
        const { through } = await readStore.position(projection.collection, partition);
        const now = clock.now();
        let leftMs = intervalMs;
        for (const one of waiting) {
          if (one.position <= through) one.resolve(projection);
          else if (one.until <= now) one.reject(new ReadModelBehind('The write is not visible yet. Ask again.'));
          else {
            leftMs = Math.min(leftMs, one.until - now);
            continue;
          }
          waiting.delete(one);
        }
        if (waiting.size === 0) break;
        await timer.sleep(leftMs, lookout.nap.signal);
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
    stopListening?.();
    this.#lookouts.delete(partition);
  }
}
