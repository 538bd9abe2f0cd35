import type { PartitionTarget } from './subscriptions/consume-partition.js';
import type { NewEvent, RecordedEvent } from './message.js';
import type { EventBatch, QueueName } from './ports/broker.js';

/**
 * Called when something begins. What it returns is called when that ends, with the fault if there was one. It is on
 * the way of everything, so it is quick and never throws.
 */
export type Watch<Of extends readonly unknown[]> = (...of: Of) => (fault?: unknown) => void;

/** Of an append of these events to a stream. */
export type WatchAppend = Watch<[stream: string, events: readonly NewEvent[]]>;

/** Of batches on their way to the broker, until it has confirmed all of them. */
export type WatchPublish = Watch<[batches: readonly EventBatch[]]>;

/** Of a batch that a consumer applies. */
export type WatchBatch = Watch<[queue: QueueName, events: readonly RecordedEvent[]]>;

/** Several as one. */
export function watchAll<Of extends readonly unknown[]>(watches: readonly Watch<Of>[]): Watch<Of> {
  const [only] = watches;
  if (only !== undefined && watches.length === 1) return only;
  return (...of) => {
    const ends = watches.map((watch) => watch(...of));
    return (fault) => {
      for (const end of ends) end(fault);
    };
  };
}

/** Does `work`, watched from its beginning to its end. */
export async function watched<T>(end: (fault?: unknown) => void, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (fault) {
    end(fault);
    throw fault;
  }
  end();
  return result;
}

/** The target, each batch of which is watched. One without events only moves the position, and is not. */
export function watchedTarget(target: PartitionTarget, watch: WatchBatch | undefined): PartitionTarget {
  if (watch === undefined) return target;
  return {
    ...target,
    apply: (events, position) =>
      events.length === 0
        ? target.apply(events, position)
        : watched(watch(target, events), () => target.apply(events, position)),
  };
}
