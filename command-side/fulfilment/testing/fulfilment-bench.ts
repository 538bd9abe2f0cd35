import { seededRandomness, virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import type { DomainEvent } from '@waybill/shared-kernel/decider.js';
import { WaybillError } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { categoryOf, deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import type { AggregateStreams } from '../../handling/aggregate-streams.js';
import { aggregatesIn } from '../../handling/aggregates.js';
import type { DeliveryCommand } from '../../delivery/delivery.js';
import { envelopes } from '../../handling/envelope.js';
import { PaymentDesk } from '../../payments/testing/payment-desk.js';
import { FaultyStore } from '../../testing/faulty-store.js';
import { BelievedTime } from '../deadlines/believed-time.js';
import {
  fulfilmentOf,
  sharedByPartitions,
  type FulfilmentDependencies,
  type FulfilmentTarget,
} from '../run-fulfilment.js';
import { logBeginning, Trail } from '@waybill/shared-kernel/subscriptions/log-position.js';

const longestAfterConflict = 100;

export type Happened = Pick<RecordedEvent, 'revision' | 'type' | 'data' | 'partitionKey'>;

/** A log on which clients act, and what the process manager needs beside it. */
export class Bench {
  readonly clock: VirtualClock;
  readonly log: MemoryEventStore;
  readonly store: FaultyStore;
  readonly readStore = openSqliteReadStore(':memory:');
  /** Waits for the test, but not before trying again what met a conflict. */
  readonly timer: Timer = {
    sleep: (ms, signal) => (ms <= longestAfterConflict ? turns(1) : manualTimer().sleep(ms, signal)),
  };
  /** The host's: no clock of it is ever set. */
  readonly believedTime: BelievedTime;
  readonly payments: PaymentDesk;
  /** When what clients do happens, as they say. */
  occurredAt = '2026-01-01T09:00:00.000Z';
  readonly #aggregates;
  readonly #randomness = seededRandomness('clients');
  /** Of all processes: what one draws no other does. */
  readonly #byItself = seededRandomness('fulfilment');

  /** `clock`: of the log, and of everybody. */
  constructor(clock = virtualClock('2026-01-01T10:00:00Z')) {
    this.clock = clock;
    this.log = new MemoryEventStore(clock);
    this.store = new FaultyStore(this.log);
    this.believedTime = new BelievedTime({ wallClock: clock, steadyClock: clock });
    this.#aggregates = aggregatesIn(this.log);
    const { log: store, timer } = this;
    this.payments = new PaymentDesk({ store, timer, clock, randomness: seededRandomness('payments') });
  }

  dependencies(store: EventStore = this.store): FulfilmentDependencies {
    const { readStore, timer, believedTime } = this;
    const randomness = this.#byItself;
    const askPayment = this.payments.ask;
    return { store, positions: readStore, timer, randomness, believedTime, askPayment };
  }

  /** Puts the product that everybody orders into the catalogue, counted. */
  list(stock: number): Promise<void> {
    const product = { productId: 'p1', merchantId: 'm1', name: 'Tea', unitPrice: 5, currency: 'KRW', stock };
    return this.#act(this.#aggregates.products, 'p1', { type: 'ListProduct', product }, 'p1');
  }

  place(orderId: string, imported?: true, paymentToken = 'tok_approve'): Promise<void> {
    const line = { productId: 'p1', merchantId: 'm1', name: 'Tea', quantity: 1, unitPrice: 5, freight: null };
    const order = { orderId, customerId: 'c1', lines: [line], currency: 'KRW', total: 5, promisedBy: null };
    const sealed = { deliveryAddress: 'sealed.1.c1.AAAA', paymentToken };
    return this.#act(
      this.#aggregates.orders,
      orderId,
      { type: 'PlaceOrder', order: { ...order, ...sealed } },
      orderId,
      imported,
    );
  }

  cancel(orderId: string): Promise<void> {
    return this.#act(
      this.#aggregates.orders,
      orderId,
      { type: 'CancelOrder', orderId, reason: 'no', by: 'customer' },
      orderId,
    );
  }

  dispatch(orderId: string): Promise<void> {
    return this.#act(this.#aggregates.orders, orderId, { type: 'DispatchOrder', orderId, courierId: 'k1' }, orderId);
  }

  onDelivery(orderId: string, command: DeliveryCommand): Promise<void> {
    return this.#act(this.#aggregates.deliveries, deliveryIdOf(orderId), command, orderId);
  }

  /** A client's command; refused ones are not its business. */
  async #act<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    id: string,
    command: Command,
    orderId: string,
    imported?: true,
  ): Promise<void> {
    const loaded = await streams.load(id);
    const causeId = this.#randomness.uuid();
    try {
      const decided = streams.decider.decide(command, loaded.state);
      const cause = { id: causeId, occurredAt: this.occurredAt, correlationId: causeId };
      const byNobody = { ...cause, traceparent: undefined, actor: undefined, request: undefined };
      const events = envelopes(decided, orderId, byNobody, this.#randomness);
      if (events.length === 0) return;
      await streams.append(id, loaded, imported === true ? events.map((event) => ({ ...event, imported })) : events);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
    }
  }

  events(): Promise<readonly RecordedEvent[]> {
    return wholeLog(this.log);
  }

  /** Stream → what happened in it: what must be the same however often the process manager died. */
  async histories(): Promise<Record<string, readonly Happened[]>> {
    const streams: Record<string, Happened[]> = {};
    for (const { stream, revision, type, data, partitionKey } of await this.events()) {
      (streams[stream] ??= []).push({ revision, type, data, partitionKey });
    }
    return streams;
  }
}

/**
 * The process manager, batch by batch, as a consumer drives it: it asks for its positions at the beginning, and knows
 * them from then on. `restart` forgets all but the stored ones.
 */
export class Driven {
  readonly #bench: Bench;
  readonly #store: EventStore;
  readonly #dependencies: Partial<FulfilmentDependencies>;
  readonly #positions = new Map<number, number>();
  #shared;
  #targets;

  constructor(bench: Bench, store: EventStore = bench.store, dependencies: Partial<FulfilmentDependencies> = {}) {
    this.#bench = bench;
    this.#store = store;
    this.#dependencies = dependencies;
    this.#shared = this.#remember();
    this.#targets = this.#begin();
  }

  #remember() {
    return sharedByPartitions({ ...this.#bench.dependencies(this.#store), ...this.#dependencies });
  }

  #begin() {
    this.#positions.clear();
    const dependencies = { ...this.#bench.dependencies(this.#store), ...this.#dependencies };
    return Array.from({ length: partitionCount }, (_, partition) =>
      fulfilmentOf(partition, dependencies, this.#shared),
    );
  }

  /** It was killed: what it had not saved is lost. */
  restart(): void {
    this.#shared = this.#remember();
    this.#targets = this.#begin();
  }

  /** What is saved from time to time, and when it stops in order. */
  async save(): Promise<void> {
    for (const { partition } of this.#targets) await this.#shared.late.flush(partition);
  }

  /** Looks at the deadlines of all partitions, by what is handled of each, and works on what comes of it. */
  async look(): Promise<void> {
    for (const target of this.#targets) {
      const [next] = (await this.#page(target, 10_000)).events;
      await target.lookAtDeadlines(next === undefined ? this.#bench.clock.now() + 1 : Date.parse(next.recordedAt));
    }
    await this.work(1000);
  }

  /** Works on what there is, in batches of at most `size` events of the log: on everything, or so many batches of each partition. */
  async work(size: number, batches = Infinity): Promise<void> {
    let moved = true;
    for (let batch = 0; moved && batch < batches; batch += 1) {
      moved = false;
      for (const target of this.#targets) {
        const { events, end } = await this.#page(target, size);
        if (end === undefined) continue;
        await target.apply(events, end);
        this.#positions.set(target.partition, end.through);
        moved = true;
      }
      if (await this.#bench.payments.settle()) moved = true;
    }
  }

  /** What comes next of a partition among the next `size` events of the log, and where those end. */
  async #page(target: FulfilmentTarget, size: number) {
    const { partition, categories } = target;
    const from = this.#positions.get(partition) ?? (await target.position()).through;
    this.#positions.set(partition, from);
    const page = await this.#store.readAll(from, size);
    const events = page.events.filter(
      (event) => partitionOf(event.partitionKey) === partition && categories.includes(categoryOf(event.stream)!),
    );
    const end = page.through === from ? undefined : Trail.from(logBeginning).pass(page.events, page.through).position();
    return { events, end };
  }
}

export const types = (histories: Record<string, readonly Happened[]>, stream: string) =>
  histories[stream]?.map((event) => event.type);
