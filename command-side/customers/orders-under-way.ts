import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { logBeginning, misfits, Trail } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { SteadyClock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { beginning, type LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { categoryOf, parseStream, streamName, type Category } from '@waybill/shared-kernel/stream.js';
import type { UnderWay } from './customer.js';

export interface OrdersUnderWayDependencies {
  readonly store: LogReader;
  /** A steady one. */
  readonly clock: SteadyClock;
  readonly timer: Timer;
}

/** How long one question may read on, milliseconds. */
const answerTimeoutMs = 10_000;

/**
 * Which orders of a customer are under way, by the log alone: a fold that stays in memory and is continued from where
 * it stood whenever it is asked. It holds the orders under way and nothing of those that ended. The first question
 * reads the whole log. That price is paid by who asks for an erasure, which is seldom, and not by every order, which an
 * index in the log would cost; and it counts orders that were placed before anybody thought of erasing. Where another
 * log, or an older state of it, was put in its place, it begins anew.
 *
 * The owner of an order whose `OrderPlaced` cannot be read, or is gone, is found from the request that placed it, its
 * fulfilment or its delivery, for which the log is read once more.
 */
export class OrdersUnderWay {
  readonly #dependencies: OrdersUnderWayDependencies;
  readonly #customers = new Map<string, string>();
  readonly #orders = new Map<string, Set<string>>();
  /** Orders that were met without their `OrderPlaced`, or of whose stream something is gone or cannot be read. */
  readonly #inDoubt = new Set<string>();
  /** Those of them that are under way, and whose customer nothing tells. */
  readonly #ofUnknown = new Set<string>();
  #trail = Trail.from(logBeginning);
  #turn: Promise<void> = Promise.resolve();

  constructor(dependencies: OrdersUnderWayDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Those of a customer as the log stands when it is asked, or later. Imported history is never under way. Throws
   * `Unavailable` when the log is too long to be read in time, or does not show its end yet: asked again, it goes on from
   * there.
   */
  async of(customerId: string): Promise<UnderWay> {
    const turn = this.#turn.then(async () => {
      await this.#readOn();
      if (this.#inDoubt.size > 0) await this.#lookForThoseInDoubt();
    });
    this.#turn = turn.catch(() => undefined);
    await turn;
    return { theirs: [...(this.#orders.get(customerId) ?? [])], ofUnknown: [...this.#ofUnknown] };
  }

  async #readOn(): Promise<void> {
    const { store, clock, timer } = this.#dependencies;
    const until = clock.now() + answerTimeoutMs;
    if ((await misfits(store, [this.#trail.position()])).length > 0) {
      for (const kept of [this.#customers, this.#orders, this.#inDoubt, this.#ofUnknown]) kept.clear();
      this.#trail = Trail.from(logBeginning);
    }
    const head = await store.head();
    for await (const page of readLog(store, this.#trail.through)) {
      for (const event of page.events) this.#note(event);
      // What ends an order may be what cannot be read of it: the rest of the log is asked.
      for (const { stream } of page.marks)
        if (categoryOf(stream) === 'order') this.#inDoubt.add(parseStream(stream).id);
      this.#trail = this.#trail.pass(page.events, page.through);
      if (clock.now() > until) throw new Unavailable('list of orders under way', 'The log is still being read for it.');
      // Others have requests too.
      await timer.sleep(0);
    }
    if (this.#trail.through < head) throw new Unavailable('event store', 'The log does not show its end yet.');
  }

  #note(recorded: RecordedEvent): void {
    if (recorded.imported === true) return;
    if (isEndOfFulfilment(recorded)) this.#end(recorded.partitionKey);
    if (categoryOf(recorded.stream) !== 'order') return;
    const event = upcast(recorded);
    const { id: orderId } = parseStream(event.stream);
    if (event.type === 'OrderPlaced') this.#place(orderId, event.data.customerId);
    else if (isEnd(event)) this.#end(orderId);
    else this.#met(orderId);
  }

  #met(orderId: string): void {
    if (!this.#customers.has(orderId)) this.#inDoubt.add(orderId);
  }

  #place(orderId: string, customerId: string): void {
    const theirs = this.#orders.get(customerId) ?? new Set();
    this.#orders.set(customerId, theirs.add(orderId));
    this.#customers.set(orderId, customerId);
  }

  /** Reads the log up to where it stands for what it says of those that are in doubt. */
  async #lookForThoseInDoubt(): Promise<void> {
    const { store, timer } = this.#dependencies;
    const found = new Map([...this.#inDoubt].map((orderId) => [orderId, new OrderInDoubt(orderId)]));
    for await (const { events, marks } of readLog(store, beginning, this.#trail.through)) {
      for (const event of events) found.get(event.partitionKey)?.see(event);
      for (const { stream, why } of marks) {
        if (why === 'unreadable' && categoryOf(stream) === 'order') found.get(parseStream(stream).id)?.seeUnreadable();
      }
      await timer.sleep(0);
    }
    for (const [orderId, { isOver, isOurs, customerId }] of found) {
      this.#inDoubt.delete(orderId);
      this.#ofUnknown.delete(orderId);
      if (isOver) this.#end(orderId);
      else if (customerId !== undefined) this.#place(orderId, customerId);
      else if (isOurs) this.#ofUnknown.add(orderId);
    }
  }

  #end(orderId: string): void {
    this.#ofUnknown.delete(orderId);
    const customerId = this.#customers.get(orderId);
    if (customerId === undefined) return;
    this.#customers.delete(orderId);
    const theirs = this.#orders.get(customerId);
    theirs?.delete(orderId);
    if (theirs?.size === 0) this.#orders.delete(customerId);
  }
}

/** What the rest of the log says of an order without its `OrderPlaced`. */
class OrderInDoubt {
  /** Something of it is ours: another program may have streams that are named like an order. */
  isOurs = false;
  isOver = false;
  customerId: string | undefined;

  constructor(private readonly orderId: string) {}

  seeUnreadable(): void {
    this.isOurs = true;
  }

  /** An event of its partition key, which a product or a customer may have too. */
  see(recorded: RecordedEvent): void {
    const category = categoryOf(recorded.stream);
    if (category === undefined || !categoriesOfOrders.has(category)) return;
    const event = upcast(recorded);
    switch (event.type) {
      case 'RequestDirected':
        // It is appended before the order, which need not have come of it.
        if (event.data.stream === streamName('order', this.orderId))
          this.customerId ??= event.data.subject ?? undefined;
        return;
      case 'OrderPlaced':
      case 'FulfilmentStarted':
      case 'DeliveryScheduled':
        this.customerId = event.data.customerId;
        break;
      default:
        if (isEnd(event) || isEndOfFulfilment(event)) this.isOver = true;
    }
    this.isOurs = true;
    if (recorded.imported === true) this.isOver = true;
  }
}

const categoriesOfOrders: ReadonlySet<Category> = new Set(['request', 'order', 'fulfilment', 'delivery']);

/** After the order has ended, or where its stream does not say any more that it has. */
function isEndOfFulfilment({ type }: Pick<RecordedEvent, 'type'>): boolean {
  return type === 'FulfilmentCancelled' || type === 'FulfilmentCompleted';
}

function isEnd({ type }: KnownEvent): boolean {
  return (
    type === 'OrderRejected' || type === 'OrderCancelled' || type === 'OrderDelivered' || type === 'OrderDeliveryFailed'
  );
}
