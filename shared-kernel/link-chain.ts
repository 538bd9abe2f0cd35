import type { RecordedEvent } from './message.js';
import { partitionOf } from './partition.js';
import type { Message } from './ports/broker.js';
import type { RelayCheckpoint } from './ports/read-store.js';
import { categoryNameOf } from './stream.js';

export interface Linked {
  readonly messages: readonly Message[];
  /** Where a relay stands when all of them are with the broker. */
  readonly reached: RelayCheckpoint;
}

/**
 * Links events that follow a checkpoint to those before them in their partitions, for `followChain` to follow. What
 * comes of it is determined by the log alone, however it is cut into batches. `log`: its identity.
 */
export function linkChain(events: readonly RecordedEvent[], checkpoint: RelayCheckpoint, log: string): Linked {
  const heads = { ...checkpoint.heads };
  const messages = events.map((event): Message => {
    const partition = partitionOf(event.partitionKey);
    const previous = heads[partition] ?? {};
    heads[partition] = { ...previous, [categoryNameOf(event.stream)]: event.position };
    return { event, partition, log, previous };
  });
  return { messages, reached: { position: events.at(-1)?.position ?? checkpoint.position, heads } };
}
