import { LRUCache } from 'lru-cache';
import type { RecordedEvent } from '../message.js';
import { beginning, type LogPages } from '../ports/event-store.js';
import { readLog } from '../read-stream.js';
import { categoryOf, deliveryIdOf, streamName } from '../stream.js';

/** How many streams are remembered. */
const maxRemembered = 10_000;

/**
 * Finds the orders of deliveries whose own streams can no longer be read. The id of a delivery follows from that of its
 * order, so any other event of the order in the log is enough. All deliveries that are asked for together take one
 * reading of the log; those found before take none. One of these serves a process.
 */
export class DeliveryOwners {
  readonly #store: LogPages;
  readonly #known = new LRUCache<string, string>({ max: maxRemembered });
  #turn: Promise<void> = Promise.resolve();

  constructor(store: LogPages) {
    this.#store = store;
  }

  /** Stream of a delivery → id of its order, for those of which the log has anything. */
  async of(streams: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const turn = this.#turn.then(() => this.#find(streams));
    this.#turn = turn.catch(() => undefined);
    await turn;
    return new Map(
      streams.flatMap((stream) => {
        const orderId = this.#known.get(stream);
        return orderId === undefined ? [] : [[stream, orderId]];
      }),
    );
  }

  async #find(streams: readonly string[]): Promise<void> {
    const sought = new Set(streams.filter((stream) => !this.#known.has(stream)));
    if (sought.size === 0) return;
    for await (const { events } of readLog(this.#store, beginning)) {
      for (const orderId of new Set(events.filter(isOfOrder).map(({ partitionKey }) => partitionKey))) {
        const stream = streamName('delivery', deliveryIdOf(orderId));
        if (sought.delete(stream)) this.#known.set(stream, orderId);
      }
      if (sought.size === 0) return;
    }
  }
}

function isOfOrder({ stream }: RecordedEvent): boolean {
  const category = categoryOf(stream);
  return category === 'order' || category === 'payment' || category === 'fulfilment' || category === 'delivery';
}
