import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { CommitSignal } from '@waybill/shared-kernel/ports/commit-signal.js';

/** In the thread that waits for commits of another thread of its process. */
export class HeardCommits implements CommitSignal {
  /** For the other thread: how many listen to each partition, so that it says nothing where nobody does. */
  readonly listening = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * partitionCount);
  readonly #counts = new Int32Array(this.listening);
  readonly #wakes = new Map<number, Set<() => void>>();

  listen(partition: number, wake: () => void): () => void {
    const wakes = this.#wakes.get(partition) ?? new Set();
    this.#wakes.set(partition, wakes);
    wakes.add(wake);
    Atomics.add(this.#counts, partition, 1);
    return () => {
      if (wakes.delete(wake)) Atomics.sub(this.#counts, partition, 1);
    };
  }

  /** The other thread said that these partitions were committed to. */
  hear(partitions: readonly number[]): void {
    for (const partition of partitions) for (const wake of this.#wakes.get(partition) ?? []) wake();
  }
}

/**
 * In the thread that commits: to be called after each commit to a partition. `say` is called once for all of a turn of the
 * event loop to which somebody listens.
 */
export function sayCommits(
  listening: SharedArrayBuffer,
  say: (partitions: readonly number[]) => void,
): (partition: number) => void {
  const counts = new Int32Array(listening);
  const committed = new Set<number>();
  return (partition) => {
    if (Atomics.load(counts, partition) === 0) return;
    if (committed.size === 0) {
      queueMicrotask(() => {
        say([...committed]);
        committed.clear();
      });
    }
    committed.add(partition);
  };
}
