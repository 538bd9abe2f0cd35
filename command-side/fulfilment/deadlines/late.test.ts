import { describe, expect, test } from '@jest/globals';
import { seededRandomness } from '@waybill/infra/clock/seeded.js';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { HeadWatch } from '@waybill/shared-kernel/subscriptions/watch-head.js';
import { everyPartition } from '@waybill/shared-kernel/partitions/assignment.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { SimulatedTime } from '@waybill/shared-kernel/testing/simulated-time.js';
import { PaymentRecords } from '../../payments/payment-records.js';
import { startRelay, type Relay } from '../../relay/relay.js';
import { FaultyStore, type Fate } from '../../testing/faulty-store.js';
import { BelievedTime } from './believed-time.js';
import { fulfilmentOf, runFulfilment, sharedByPartitions, type RunningFulfilment } from '../run-fulfilment.js';
import { Bench, Driven, types } from '../testing/fulfilment-bench.js';
import { identityOf } from '@waybill/shared-kernel/testing/relay-by-hand.js';

// Whoever is late, or has a clock that is wrong, takes no order away from anybody: what was recorded in time is in time.

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

const start = Date.parse('2026-01-01T10:00:00Z');

/** A log, and a host on which the process manager runs, in time that passes when the test says so. */
class Host {
  readonly #time = new SimulatedTime();
  readonly #process = this.#time.process();
  readonly bench = new Bench({
    now: () => start + this.#process.clock.now() + this.logAhead,
    time: () => new Date(start + this.#process.clock.now() + this.logAhead),
    advance: () => {
      throw new Error('Time passes here: pass().');
    },
  });
  /** By how much the log's clock is ahead, milliseconds, and by how much more that of the process manager's host. */
  logAhead = 0;
  ahead = 0;
  readonly #store: EventStore;
  #relay: Relay | undefined;
  #fulfilment: RunningFulfilment | undefined;

  /** `store`: the process manager's way to the log. */
  constructor({ store }: { readonly store?: (host: Host) => EventStore } = {}) {
    this.#store = store?.(this) ?? this.bench.store;
  }

  get timer() {
    return this.#process.timer;
  }

  begin(): void {
    const { bench, timer } = this;
    const randomness = seededRandomness('host');
    const wallClock = { time: () => new Date(bench.clock.now() + this.ahead) };
    const believedTime = new BelievedTime({ wallClock, steadyClock: this.#process.clock });
    const dependencies = { ...bench.dependencies(this.#store), timer, randomness, believedTime };
    const broker = openMemoryBroker();
    const headWatch = new HeadWatch({ store: this.#store, timer });
    const { log: store, readStore: checkpoints } = bench;
    this.#fulfilment = runFulfilment({
      ...dependencies,
      broker,
      identity: () => identityOf(store),
      headWatch,
      assign: everyPartition,
    });
    this.#relay = startRelay({ broker, store, checkpoints, timer, randomness });
  }

  async stopRelay(): Promise<void> {
    const stopping = this.#relay?.stop();
    await this.pass(second);
    await stopping;
  }

  async end(): Promise<void> {
    const ended = Promise.all([this.#fulfilment?.stop(), this.#relay?.stop()]);
    await this.pass(minute);
    await ended;
  }

  async pass(milliseconds: number): Promise<void> {
    await this.#time.pass(milliseconds);
  }

  /** The payment service works on what it was asked, and what follows from that happens. */
  async settle(): Promise<void> {
    for (let isMore = true; isMore;) {
      await this.pass(5 * second);
      isMore = await this.bench.payments.settle();
    }
  }

  /** The gateway says of its own accord that a payment is authorised. */
  async hearOf(orderId: string): Promise<void> {
    const { log: store, clock } = this.bench;
    const randomness = seededRandomness(orderId);
    const payments = new PaymentRecords({ store, randomness, timer: this.timer });
    const causationId = randomness.uuid();
    const story = { correlationId: causationId, causationId, traceparent: undefined, occurredAt: timestamp(clock) };
    await payments.record({ orderId, amount: 5, currency: 'KRW' }, { status: 'authorised' }, story);
  }

  async count(type: string): Promise<number> {
    return (await this.bench.events()).filter((event) => event.type === type).length;
  }

  async typesOf(stream: string): Promise<readonly string[] | undefined> {
    return types(await this.bench.histories(), stream);
  }
}

/** A log that cannot be read along for a while, and can be read by stream and written. */
class Unreadable extends FaultyStore {
  isDown = false;

  constructor(log: EventStore) {
    super(log);
    this.readAll = (...asked) =>
      this.isDown ? Promise.reject(new Unavailable('event store', 'It is down.')) : log.readAll(...asked);
  }
}

describe('a payment that was authorised in time', () => {
  test.each(['the relay stands still', 'the log cannot be read', 'both'])('is in time when %s', async (what) => {
    let log: Unreadable | undefined;
    const host = new Host({ store: ({ bench }) => (log = new Unreadable(bench.log)) });
    host.begin();
    await host.pass(3 * minute);
    await host.bench.place('o1');
    await host.pass(5 * second);
    expect(await host.typesOf('fulfilment-o1')).toEqual(['FulfilmentStarted', 'FulfilmentPaymentRequested']);
    if (what !== 'the log cannot be read') await host.stopRelay();
    log!.isDown = what !== 'the relay stands still';
    await host.pass(minute);
    await host.bench.payments.settle();
    expect(await host.typesOf('payment-o1')).toEqual(['PaymentAuthorised']);
    await host.pass(16 * minute);
    expect(await host.count('FulfilmentDeadlineMissed')).toBe(0);
    log!.isDown = false;
    await host.pass(minute);
    expect(await host.typesOf('order-o1')).toEqual(['OrderPlaced', 'OrderConfirmed']);
    expect(await host.count('FulfilmentDeadlineMissed')).toBe(0);
    await host.end();
  });

  test('is in time however many come at once, and each is asked for once', async () => {
    const orders = Array.from({ length: 200 }, (_, index) => `o${index}`);
    const host = new Host({
      store: ({ bench, timer }) => {
        const log = new FaultyStore(bench.log);
        let turn = Promise.resolve();
        // One append after the other, a second each: what is due takes longer than anybody waits for it.
        log.fate = async (): Promise<Fate> => {
          await (turn = turn.then(() => timer.sleep(second)));
          return 'done';
        };
        return log;
      },
    });
    host.begin();
    await host.pass(2 * minute);
    for (const orderId of orders) await host.bench.place(orderId);
    const began = host.bench.clock.now();
    while ((await host.count('DeliveryScheduled')) < orders.length) {
      await host.pass(second);
      await host.bench.payments.settle();
    }
    expect(host.bench.clock.now() - began).toBeGreaterThan(20 * minute);
    expect(await host.count('OrderConfirmed')).toBe(orders.length);
    expect(await host.count('FulfilmentDeadlineMissed')).toBe(0);
    expect(await host.count('FulfilmentPaymentRequested')).toBe(orders.length);
    await host.end();
  });
});

describe('a clock that is ahead', () => {
  const jumps = [
    { by: '16 minutes', ahead: 16 * minute, lasts: 2_500 },
    { by: '25 hours', ahead: 25 * hour, lasts: 4_000 },
  ];

  test.each([
    ...jumps.map((jump) => ({ ...jump, of: 'ahead', whose: 'the process manager' }) as const),
    ...jumps.map((jump) => ({ ...jump, of: 'logAhead', whose: 'everybody' }) as const),
  ])('for a moment, by $by, the clock of $whose, makes nothing late', async ({ ahead, lasts, of }) => {
    const host = new Host();
    host.begin();
    await host.pass(2 * minute);
    host.bench.payments.gateway.fate = (_call, reference) => (reference === 'for-a-courier' ? 'done' : 'lost');
    for (const waits of ['for-a-courier', 'for-a-payment', 'for-an-answer']) await host.bench.place(waits);
    await host.settle();
    host[of] = ahead;
    await host.pass(lasts / 2);
    await host.bench.place('placed-meanwhile');
    await host.hearOf('for-an-answer');
    await host.pass(lasts / 2);
    host[of] = 0;
    await host.pass(minute);
    expect(await host.count('FulfilmentDeadlineMissed')).toBe(0);
    for (const confirmed of ['for-a-courier', 'for-an-answer']) {
      expect(await host.typesOf(`order-${confirmed}`)).toEqual(['OrderPlaced', 'OrderConfirmed']);
    }
    for (const waiting of ['for-a-payment', 'placed-meanwhile']) {
      expect(await host.typesOf(`order-${waiting}`)).toEqual(['OrderPlaced']);
    }
    await host.end();
  });

  test.each(['ahead', 'logAhead'] as const)('as a process manager begins makes nothing late either: %s', async (of) => {
    const host = new Host();
    host.begin();
    await host.pass(2 * minute);
    host.bench.payments.gateway.fate = (_call, reference) => (reference === 'for-a-courier' ? 'done' : 'lost');
    for (const waits of ['for-a-courier', 'for-an-answer']) await host.bench.place(waits);
    await host.settle();
    await host.end();
    host[of] = 25 * hour;
    host.begin();
    await host.pass(2 * second);
    await host.hearOf('for-an-answer');
    await host.pass(28 * second);
    host[of] = 0;
    await host.pass(minute);
    expect(await host.count('FulfilmentDeadlineMissed')).toBe(0);
    expect(await host.typesOf('order-for-an-answer')).toEqual(['OrderPlaced', 'OrderConfirmed']);
    await host.end();
  });

  test('for good makes late what is late by the log', async () => {
    const host = new Host();
    host.begin();
    await host.pass(2 * minute);
    host.bench.payments.gateway.fate = () => 'lost';
    await host.bench.place('o1');
    await host.pass(5 * second);
    expect(await host.count('FulfilmentPaymentRequested')).toBe(1);
    await host.end();
    host.ahead = 25 * hour;
    host.begin();
    await host.pass(second);
    await host.bench.place('o2');
    await host.pass(13 * minute);
    expect(await host.count('FulfilmentDeadlineMissed')).toBe(0);
    await host.pass(2 * minute);
    expect(await host.typesOf('order-o1')).toEqual(['OrderPlaced', 'OrderRejected']);
    await host.end();
  });

  test('and was set right makes nobody wait until others are there: the log tells the time', async () => {
    const host = new Host();
    host.logAhead = hour;
    host.begin();
    await host.pass(2 * minute);
    host.bench.payments.gateway.fate = () => 'lost';
    await host.bench.place('o1');
    await host.pass(5 * second);
    await host.end();
    host.logAhead = 0;
    host.begin();
    await host.pass(12 * minute);
    expect(await host.count('FulfilmentDeadlineMissed')).toBe(0);
    await host.bench.place('o2');
    await host.pass(4 * minute);
    expect(await host.typesOf('order-o1')).toEqual(['OrderPlaced', 'OrderRejected']);
    await host.end();
  });

  test('of the log makes nothing late', async () => {
    const host = new Host();
    host.ahead = -16 * minute;
    host.begin();
    await host.pass(2 * minute);
    await host.bench.place('o1');
    await host.settle();
    expect(await host.typesOf('order-o1')).toEqual(['OrderPlaced', 'OrderConfirmed']);
    await host.end();
  });
});

describe('a deadline', () => {
  test('is not missed while something that was recorded in time waits to be handled, whatever is claimed', async () => {
    const bench = new Bench();
    const driven = new Driven(bench);
    await bench.place('o1');
    // Its placement, and no further.
    await driven.work(1, 1);
    await driven.save();
    expect(types(await bench.histories(), 'payment-o1')).toEqual(['PaymentAuthorised']);
    bench.clock.advance(15 * minute);
    const dependencies = bench.dependencies();
    const shared = sharedByPartitions(dependencies);
    for (let partition = 0; partition < partitionCount; partition += 1) {
      const target = fulfilmentOf(partition, dependencies, shared);
      await target.position();
      await target.lookAtDeadlines(bench.clock.now() + 1);
    }
    expect(types(await bench.histories(), 'fulfilment-o1')).not.toContain('FulfilmentDeadlineMissed');
    await driven.work(1000);
    expect(types(await bench.histories(), 'order-o1')).toEqual(['OrderPlaced', 'OrderConfirmed']);
  });

  test.each([
    ['approves', 'tok_approve', ['PaymentAuthorised', 'PaymentVoided']],
    ['declines', 'tok_decline', ['PaymentDeclined']],
  ])('that the gateway really misses is missed, when it %s too late', async (_, token, payment) => {
    const host = new Host();
    host.begin();
    await host.pass(2 * minute);
    await host.bench.place('o1', undefined, token);
    await host.pass(16 * minute);
    await host.settle();
    expect(await host.typesOf('order-o1')).toEqual(['OrderPlaced', 'OrderRejected']);
    expect(await host.typesOf('payment-o1')).toEqual(payment);
    await host.end();
  });

  test('is missed by when the approval was recorded, whenever that is read', async () => {
    let log: Unreadable | undefined;
    const host = new Host({ store: ({ bench }) => (log = new Unreadable(bench.log)) });
    host.begin();
    await host.pass(2 * minute);
    await host.bench.place('o1');
    await host.pass(5 * second);
    log!.isDown = true;
    await host.stopRelay();
    await host.pass(16 * minute);
    await host.bench.payments.settle();
    expect(await host.typesOf('payment-o1')).toEqual(['PaymentAuthorised']);
    await host.pass(10 * minute);
    expect(await host.typesOf('order-o1')).toEqual(['OrderPlaced']);
    log!.isDown = false;
    await host.pass(minute);
    await host.settle();
    expect(await host.typesOf('order-o1')).toEqual(['OrderPlaced', 'OrderRejected']);
    expect(await host.typesOf('payment-o1')).toEqual(['PaymentAuthorised', 'PaymentVoided']);
    await host.end();
  });
});
