import type { Topology } from './topology.js';

/**
 * What the queues that were declared here can still take, by partition. The server bounds each queue itself, but only
 * roughly, and what it refuses arrives late or twice; keeping below the bound keeps the order. Queues that other
 * processes declared are left to the server's bound.
 */
export class Room {
  readonly #topology: Topology;
  readonly #capacity: number;
  readonly #left = new Map<number, number>();

  constructor(topology: Topology, capacity: number) {
    this.#topology = topology;
    this.#capacity = capacity;
  }

  /** Takes a place in the queues of a partition. Without one, `measure` may find some. */
  take(partition: number): boolean {
    if (!this.#topology.hasQueues(partition)) return true;
    if (!this.hasSome(partition)) return false;
    this.#left.set(partition, (this.#left.get(partition) ?? 0) - 1);
    return true;
  }

  /** Whether the next `take` succeeds. */
  hasSome(partition: number): boolean {
    return !this.#topology.hasQueues(partition) || (this.#left.get(partition) ?? 0) > 0;
  }

  /** Asks how full the queues are. Right only while no message to the partition is on its way. */
  async measure(partition: number): Promise<void> {
    this.#left.set(partition, this.#capacity - (await this.#topology.longest(partition)));
  }

  /** A queue was declared that may be fuller than the others. */
  forget(partition: number): void {
    this.#left.delete(partition);
  }
}
