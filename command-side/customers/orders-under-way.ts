import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Clock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { beginning, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { categoryNameOf, parseStream } from '@waybill/shared-kernel/stream.js';

export interface OrdersUnderWayMeans {
  readonly store: Pick<EventStore, 'readAll'>;
  readonly clock: Clock;
  readonly timer: Timer;
}

/** How long one question may read on, milliseconds. */
const patienceMs = 10_000;

/**
 * Which orders of a customer are under way, by the log alone: a fold that stays in memory and is continued from where it
 * stood whenever it is asked. It holds the orders under way and nothing of those that ended. The first question reads
 * the whole log. That price is paid by who asks for an erasure, which is seldom, and not by every order, which an index
 * in the log would cost; and it counts orders that were placed before anybody thought of erasing.
 */
export class OrdersUnderWay {
  readonly #means: OrdersUnderWayMeans;
  readonly #customers = new Map<string, string>();
  readonly #orders = new Map<string, Set<string>>();
  #position = beginning;
  #turn: Promise<void> = Promise.resolve();

  constructor(means: OrdersUnderWayMeans) {
    this.#means = means;
  }

  /**
   * Ids of a customer's orders that are under way as the log stands when it is asked, or later. Imported history is never
   * under way. Throws `Unavailable` when the log is too long to be read in time: asked again, it goes on from there.
   */
  async of(customerId: string): Promise<readonly string[]> {
    const turn = this.#turn.then(() => this.#readOn());
    this.#turn = turn.catch(() => undefined);
    await turn;
    return [...(this.#orders.get(customerId) ?? [])];
  }

  async #readOn(): Promise<void> {
    const { store, clock, timer } = this.#means;
    const until = clock.now() + patienceMs;
    for await (const page of readLog(store, this.#position)) {
      for (const event of page) {
        this.#note(event);
        this.#position = event.position;
      }
      if (clock.now() > until) throw new Unavailable('list of orders under way', 'The log is still being read for it.');
      // Others have requests too.
      await timer.sleep(0);
    }
  }

  #note(recorded: RecordedEvent): void {
    if (recorded.imported === true || categoryNameOf(recorded.stream) !== 'order') return;
    const event = upcast(recorded);
    const { id: orderId } = parseStream(event.stream);
    switch (event.type) {
      case 'OrderPlaced': {
        const { customerId } = event.data;
        const theirs = this.#orders.get(customerId) ?? new Set();
        this.#orders.set(customerId, theirs.add(orderId));
        this.#customers.set(orderId, customerId);
        return;
      }
      case 'OrderRejected':
      case 'OrderCancelled':
      case 'OrderDelivered':
      case 'OrderDeliveryFailed':
        return this.#end(orderId);
      default:
    }
  }

  #end(orderId: string): void {
    const customerId = this.#customers.get(orderId);
    if (customerId === undefined) return;
    this.#customers.delete(orderId);
    const theirs = this.#orders.get(customerId);
    theirs?.delete(orderId);
    if (theirs?.size === 0) this.#orders.delete(customerId);
  }
}
