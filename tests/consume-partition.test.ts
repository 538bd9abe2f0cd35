import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import {
  consumePartition,
  consumerTuning,
  type ConsumerDependencies,
  type PartitionConsumer,
  type PartitionTarget,
} from '@waybill/shared-kernel/subscriptions/consume-partition.js';
import { DeliveryOwners } from '@waybill/shared-kernel/partitions/delivery-owners.js';
import { EventFromTheFuture, LogMismatch, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { HeadWatch, lookEveryMs } from '@waybill/shared-kernel/subscriptions/watch-head.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { Broker } from '@waybill/shared-kernel/ports/broker.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { chaoticBroker, type Fate } from '@waybill/shared-kernel/testing/chaotic-broker.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { identityOf, RelayByHand } from '@waybill/shared-kernel/testing/relay-by-hand.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { logBeginning } from '@waybill/shared-kernel/subscriptions/log-position.js';

const consumer = 'notes';
const partition = partitionOf('o1');
/** An order of another partition. */
const elsewhere = ['o2', 'o3', 'o4'].find((id) => partitionOf(id) !== partition)!;

/** A log, a relay that a test moves by hand, and a target that notes what it is given. */
class Bench {
  readonly clock = virtualClock('2026-03-01T12:00:00Z');
  log = new MemoryEventStore(this.clock);
  readonly timer = manualTimer();
  readonly randomness: Randomness;
  readonly memory: Broker;
  broker: Broker;
  /** Positions applied, in order. */
  readonly applied: number[] = [];
  noted = logBeginning;
  get position(): number {
    return this.noted.through;
  }
  /** How often a position without events was saved. */
  saves = 0;
  readonly faults: Error[] = [];
  reads = 0;
  /** Runs after the log was read, before what was read is handed over. */
  afterRead: () => Promise<void> | void = () => undefined;
  /** Whether the log shows nothing, as a replica that is behind. */
  isBlind = false;
  /** Up to which position the log shows what it has. */
  shownUpTo = Infinity;
  /** Runs before events are applied; a throw is a failure of the target. */
  before: (events: readonly RecordedEvent[]) => Promise<void> | void = () => undefined;
  readonly doubted: string[] = [];
  running: PartitionConsumer | undefined;
  readonly #revisions = new Map<string, number>();

  readonly store: ConsumerDependencies['store'] = {
    head: () => this.log.head(),
    recordAt: (position) => this.log.recordAt(position),
    readStream: (...asked) => this.log.readStream(...asked),
    cutOf: (stream) => this.log.cutOf(stream),
    readAll: async (after, limit) => {
      this.reads += 1;
      const page = await this.log.readAll(after, limit);
      await this.afterRead();
      const shown = this.isBlind ? after : Math.max(after, this.shownUpTo);
      if (page.through <= shown) return page;
      const isShown = ({ position }: { readonly position: number }) => position <= shown;
      const [events, marks] = [page.events.filter(isShown), page.marks.filter(isShown)];
      return { events, marks, through: shown, isEnd: true };
    },
  };
  readonly headWatch: HeadWatch;
  deliveryOwners: DeliveryOwners | undefined;
  /** The identity of the log, where it was given another than its first. */
  renewed: string | undefined;
  /** Carries each event by itself. */
  relayed = new RelayByHand(this.log, { maxEvents: 1 });

  constructor(maxBatches = 1000, seed = 'bench') {
    this.randomness = seededRandomness(seed);
    this.memory = openMemoryBroker({ maxBatches });
    this.broker = this.memory;
    this.headWatch = new HeadWatch({ store: this.store, timer: this.timer });
  }

  readonly target: { -readonly [Member in keyof PartitionTarget]: PartitionTarget[Member] } = {
    consumer,
    partition,
    categories: ['order'],
    position: () => Promise.resolve(this.noted),
    apply: async (events, position) => {
      if (events.length === 0) this.saves += 1;
      else await this.before(events);
      this.applied.push(...events.map((event) => event.position));
      this.noted = position;
    },
    doubt: async (streams) => {
      this.doubted.push(...streams.map(({ stream }) => stream));
    },
  };

  start(batch = consumerTuning.batch): PartitionConsumer {
    const { broker, timer, randomness, clock, headWatch } = this;
    const report = (fault: Error): void => {
      this.faults.push(fault);
    };
    const identity = async () => (this.isBlind ? undefined : (this.renewed ?? (await identityOf(this.log))));
    const { store, deliveryOwners } = this;
    const dependencies: ConsumerDependencies = {
      ...{ broker, store, identity, headWatch, clock, timer, randomness, report },
      ...(deliveryOwners !== undefined && { deliveryOwners }),
    };
    this.running = consumePartition(this.target, dependencies, { ...consumerTuning, batch });
    return this.running;
  }

  /** Ends all waits once the watch waits for its next look, so often. */
  async look(times = 1): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      await until(() => this.timer.waits.includes(lookEveryMs));
      this.timer.elapse();
      await turns(20);
    }
  }

  /** The stream of the order `o1` is at this revision, and there is no other. */
  wind(revision: number): void {
    this.#revisions.clear();
    this.#revisions.set('order-o1', revision);
  }

  async append(orderId = 'o1', change: Partial<NewEvent> = {}, category = 'order'): Promise<number> {
    const stream = `${category}-${orderId}`;
    const expected = this.#revisions.get(stream) ?? -1;
    const id = this.randomness.uuid();
    const event: NewEvent = {
      id,
      type: 'OrderConfirmed',
      schemaVersion: 1,
      occurredAt: '2026-03-01T12:00:00.000Z',
      correlationId: id,
      causationId: id,
      partitionKey: orderId,
      data: { orderId },
      ...change,
    };
    const { position } = await this.log.append(stream, expected, [event]);
    this.#revisions.set(stream, expected + 1);
    return position;
  }

  async relay(broker = this.broker): Promise<void> {
    await this.relayed.relay(broker);
  }

  get depth(): Promise<number> {
    return this.memory.depth({ consumer, partition });
  }

  /** Its queue is there, and nothing is in it. */
  async attached(): Promise<void> {
    await until(async () => (await this.depth.catch(() => -1)) === 0);
  }

  async following(): Promise<void> {
    await until(() => this.running?.state().mode === 'following');
  }

  async expected(): Promise<number[]> {
    const events: readonly RecordedEvent[] = await wholeLog(this.log);
    const mine = events.filter(
      (event) => partitionOf(event.partitionKey) === partition && event.stream.startsWith('order-'),
    );
    return mine.map((event) => event.position);
  }

  async end(): Promise<void> {
    await this.running?.stop();
    await this.memory.close();
    await this.log.close();
  }
}

const lost: Fate = { copies: 0, delay: 0 };
const arrives: Fate = { copies: 1, delay: 0 };

describe('the consumer of a partition', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.end());

  test('applies what the log has when it starts, and then messages as they come, without reading the log again', async () => {
    await bench.append();
    await bench.append(elsewhere);
    bench.start();
    await bench.following();
    await bench.attached();
    expect(bench.applied).toEqual([1]);
    await bench.relay();
    await bench.attached();
    const { reads } = bench;
    await bench.append();
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 3);
    expect(bench.applied).toEqual(await bench.expected());
    expect(bench.reads).toBe(reads);
    await until(async () => (await bench.depth) === 0);
    expect(bench.running?.state()).toMatchObject({ mode: 'following', position: 4 });
  });

  test('goes on from the position of its target', async () => {
    await bench.append();
    await bench.append();
    bench.noted = { through: 1, anchors: [] };
    bench.start();
    await bench.following();
    expect(bench.applied).toEqual([2]);
  });

  const fulfilmentStarted = { type: 'FulfilmentStarted', data: { orderId: 'o1', customerId: 'ada' } };

  test('is not handed events that the target does not take, and misses none of its own for that', async () => {
    await bench.append();
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.relay();
    await bench.attached();
    await bench.append('o1', fulfilmentStarted, 'fulfilment');
    await bench.append();
    await bench.append('o1', fulfilmentStarted, 'fulfilment');
    await bench.append();
    const { reads } = bench;
    await bench.relay();
    await until(() => bench.applied.length === 3);
    expect(bench.applied).toEqual([1, 3, 5]);
    expect(bench.reads).toBe(reads);
  });

  test('follows the log alone while there is no broker at all', async () => {
    bench.broker = {
      ...bench.memory,
      declare: () => Promise.reject(new Unavailable('broker', 'Not there.')),
    };
    await bench.append();
    bench.start();
    await bench.following();
    expect(bench.applied).toEqual([1]);
    await bench.append();
    await bench.append(elsewhere);
    await until(() => {
      bench.timer.elapse();
      return bench.running?.state().position === 3;
    });
    expect(bench.applied).toEqual([1, 2]);
    expect(bench.running?.state().mode).toBe('following');
    expect(bench.faults[0]?.message).toBe('Not there.');
  });

  test('follows the log while the relay is dead, and reads it only when it is owed something', async () => {
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.look(2);
    const { reads } = bench;
    await bench.look(3);
    expect(bench.reads).toBe(reads);
    await bench.append();
    await bench.append();
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 2;
    });
    await bench.following();
    expect(bench.applied).toEqual([1, 2]);
    expect(bench.faults).toEqual([]);
  });

  test('trusts a relay that began anew after its checkpoint was lost, or far ahead, for nothing before', async () => {
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.append();
    await bench.append();
    bench.relayed = new RelayByHand(bench.log, {}, 2);
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 3);
    bench.relayed = new RelayByHand(bench.log, { maxEvents: 1 });
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 4);
    expect(bench.applied).toEqual([1, 2, 3, 4]);
  });

  test('is moved over what is not of its kind, saves that once a look and when it stops', async () => {
    await bench.append();
    bench.start();
    await bench.following();
    for (let count = 0; count < 3; count += 1) await bench.append('o1', fulfilmentStarted, 'fulfilment');
    await until(() => {
      bench.timer.elapse();
      return bench.running?.state().position === 4;
    });
    await until(() => bench.position === 4);
    await bench.append(elsewhere);
    const saved = bench.saves;
    await until(() => {
      bench.timer.elapse();
      return bench.running?.state().position === 5;
    });
    await bench.running!.stop();
    expect(bench.position).toBe(5);
    expect(bench.saves).toBe(saved + 1);
    expect(bench.applied).toEqual([1]);
  });

  describe('of a stream from which something was taken', () => {
    beforeEach(async () => {
      await bench.append();
      await bench.append();
      await bench.append(elsewhere);
      bench.start();
      await bench.following();
      await bench.attached();
      await bench.relay();
      await bench.attached();
    });

    test('hears by what comes after it, which no message passes it by', async () => {
      bench.log.truncate('order-o1', 1);
      await bench.append();
      await bench.relay();
      await until(() => bench.applied.length === 3);
      expect(bench.doubted).toEqual(['order-o1']);
    });

    test('hears of what stands between events that came together', async () => {
      bench.relayed = new RelayByHand(bench.log);
      await bench.append();
      bench.log.truncate('order-o1', 2);
      await bench.append();
      await bench.relay();
      await until(() => bench.applied.length === 4);
      expect(bench.doubted).toEqual(['order-o1']);
    });

    test('hears at a look, where nothing comes after it', async () => {
      bench.log.tombstone('order-o1');
      await until(() => {
        bench.timer.elapse();
        return bench.doubted.length > 0;
      });
      expect(bench.doubted).toEqual(['order-o1']);
      await bench.following();
    });

    test('is told before the position moves over it, and again until it has taken it', async () => {
      const { doubt } = bench.target;
      let isDown = true;
      bench.target.doubt = async (streams) => {
        if (isDown) throw new Unavailable('read store', 'It is down.');
        await doubt(streams);
      };
      bench.log.truncate('order-o1', 1);
      const { position } = bench.running!.state();
      await until(() => {
        bench.timer.elapse();
        return bench.faults.length > 0;
      });
      expect(bench.running!.state()).toMatchObject({ position });
      isDown = false;
      await until(() => {
        bench.timer.elapse();
        return bench.doubted.length > 0;
      });
      await bench.following();
      expect(bench.running!.state().position).toBe(await bench.log.head());
    });

    test('asks after no stream that is not of its categories', async () => {
      const asked: string[] = [];
      bench.store.cutOf = (stream) => {
        asked.push(stream);
        return bench.log.cutOf(stream);
      };
      bench.log.tombstone('delivery-d1');
      bench.log.truncate('order-o1', 1);
      await bench.append();
      await bench.relay();
      await until(() => bench.applied.length === 3);
      expect(asked).toEqual(['order-o1']);
    });

    test.each([
      ['by its own log', 'o1', undefined],
      ['by whom the process has for it', 'o7', 'o7'],
    ])('knows whose a delivery was of which nothing is left: %s', async (_, orderId, other) => {
      await bench.running!.stop();
      if (other !== undefined) {
        const another = new MemoryEventStore(bench.clock);
        await another.append(`order-${other}`, noStream, [{ ...newEvent(), partitionKey: other }]);
        bench.deliveryOwners = new DeliveryOwners(another);
      }
      const stream = `delivery-${deliveryIdOf(orderId)}`;
      bench.log.tombstone(stream);
      bench.target.categories = ['delivery'];
      const told: string[] = [];
      bench.target.partition = partitionOf(orderId);
      bench.target.doubt = async (streams) => {
        told.push(...streams.map(({ stream, partitionKey }) => `${stream} of ${partitionKey}`));
      };
      bench.start();
      await until(() => told.length > 0);
      expect(told).toEqual([`${stream} of ${orderId}`]);
    });

    test('is told of its own alone', async () => {
      bench.log.truncate(`order-${elsewhere}`, 1);
      await bench.append();
      await bench.relay();
      await until(() => bench.applied.length === 3);
      expect(bench.doubted).toEqual([]);
    });
  });

  test('says nothing of what it did not read, as it was to stop meanwhile', async () => {
    for (let count = 0; count < 3; count += 1) await bench.append();
    const recordedMs = bench.clock.now();
    bench.clock.advance(60_000);
    bench.before = () => void bench.running!.stop();
    await bench.start(1).stop();
    expect(bench.applied.length).toBeLessThan(3);
    expect(bench.running!.state()).toMatchObject({ mode: 'stopped', handledUntilMs: recordedMs });
  });

  test('says until when all that was recorded is handled: by events, and by a head that it was level with', async () => {
    const began = bench.clock.now();
    bench.start();
    await bench.following();
    expect(bench.running?.state().handledUntilMs).toBe(began);
    await bench.attached();
    bench.clock.advance(60_000);
    await bench.append();
    const recorded = bench.clock.now();
    bench.clock.advance(60_000);
    await bench.relay();
    await until(() => bench.applied.length === 1);
    expect(bench.running?.state().handledUntilMs).toBe(recorded);
    await until(() => {
      bench.timer.elapse();
      return bench.running?.state().handledUntilMs === bench.clock.now();
    });
    const level = bench.clock.now();
    bench.clock.advance(60_000);
    bench.before = () => {
      throw new Unavailable('read store', 'Locked.');
    };
    await bench.append();
    await bench.relay();
    await until(() => bench.running?.state().mode === 'paused');
    await turns(50);
    expect(bench.running?.state().handledUntilMs).toBe(level);
  });

  test('lets messages go while it reads the log, and applies one thing at a time', async () => {
    await bench.append();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let atOnce = 0;
    bench.before = async () => {
      atOnce += 1;
      await held;
    };
    bench.start();
    await bench.attached();
    await until(() => atOnce === 1);
    await bench.append();
    await bench.relay();
    await bench.attached();
    expect(atOnce).toBe(1);
    release();
    await bench.following();
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 2;
    });
    expect(bench.applied).toEqual([1, 2]);
  });

  test('is left alone by the watch while it works, however long', async () => {
    bench.start();
    await bench.following();
    await bench.attached();
    let release = (): void => undefined;
    let isHeld = false;
    bench.before = () => {
      isHeld = true;
      return new Promise<void>((resolve) => (release = resolve));
    };
    await bench.append();
    await bench.relay();
    await until(() => isHeld);
    const { reads } = bench;
    await bench.look(4);
    expect([bench.running?.state().mode, bench.reads]).toEqual(['following', reads]);
    release();
    await until(() => bench.applied.length === 1);
    await bench.attached();
    expect(bench.applied).toEqual([1]);
  });

  test('lets messages of another log go, whatever their positions are, and says so once', async () => {
    const other = new Bench(1000, 'other');
    for (let count = 0; count < 5; count += 1) await other.append();
    bench.start();
    await bench.following();
    await bench.attached();
    await other.relay(bench.memory);
    await until(async () => (await bench.depth) === 0);
    await bench.append();
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 2);
    for (let time = 0; time < 2; time += 1) await new RelayByHand(other.log).relay(bench.memory);
    await until(async () => (await bench.depth) === 0);
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 3);
    expect(bench.applied).toEqual([1, 2, 3]);
    expect(bench.faults.map(({ message }) => message)).toEqual([
      'Messages of another log were in the queue, and are let go.',
    ]);
    await other.end();
  });

  /** Puts an older state of the log in its place, with the first so many events, which then goes on differently. */
  async function restore(kept: number, fresh: readonly string[]): Promise<void> {
    const before = bench.log;
    bench.log = new MemoryEventStore(bench.clock);
    const events = (await wholeLog(before)).slice(0, kept);
    for (const [index, event] of events.entries()) await bench.log.append(event.stream, index - 1, [event]);
    bench.wind(kept - 1);
    for (const orderId of fresh) await bench.append(orderId);
    await before.close();
  }

  test('is not moved over a log that was restored and grew past its position between two looks', async () => {
    for (let count = 0; count < 20; count += 1) await bench.append();
    bench.start();
    await bench.following();
    await bench.look(2);
    await restore(15, ['o1', 'o1', 'o1', ...Array<string>(12).fill(elsewhere)]);
    await bench.look(2);
    expect(bench.running!.state()).toMatchObject({ mode: 'paused', fault: expect.any(LogMismatch) });
    expect(bench.noted).toMatchObject({ through: 20 });
    expect(bench.applied).toHaveLength(20);
  });

  test('holds itself to the log before it follows one that has got another identity', async () => {
    for (let count = 0; count < 5; count += 1) await bench.append();
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 6);
    await restore(4, Array<string>(5).fill('o1'));
    bench.renewed = 'renewed';
    await new RelayByHand(bench.log, {}, 6).relay({
      publish: (batches) => bench.memory.publish(batches.map((batch) => ({ ...batch, log: 'renewed' }))),
    });
    await until(() => bench.running!.state().mode !== 'following');
    await until(() => bench.faults.length > 0);
    expect(bench.faults).toEqual([expect.any(LogMismatch)]);
    expect(bench.applied).toEqual([1, 2, 3, 4, 5, 6]);
    expect(bench.noted.through).toBe(6);
  });

  test('hands over events as the log holds them, of older versions too', async () => {
    const seen: RecordedEvent[] = [];
    bench.before = (events) => {
      seen.push(...events);
    };
    await bench.append('o1', { type: 'OrderCancelled', data: { orderId: 'o1', reason: 'late', by: 'customer' } });
    bench.start();
    await bench.following();
    expect(seen).toMatchObject([{ type: 'OrderCancelled', schemaVersion: 1 }]);
  });

  test('takes duplicates for no-ops', async () => {
    bench.broker = chaoticBroker(bench.memory, () => ({ copies: 3, delay: 2 }));
    bench.start();
    await bench.following();
    await bench.attached();
    for (let index = 0; index < 5; index += 1) await bench.append();
    await bench.relay();
    await new RelayByHand(bench.log).relay(bench.broker);
    await until(() => bench.applied.length >= 5);
    await until(async () => (await bench.depth) === 0);
    expect(bench.applied).toEqual([1, 2, 3, 4, 5]);
  });

  test('reads from the log what was lost before a message, and goes on with messages behind it', async () => {
    bench.broker = chaoticBroker(bench.memory, ({ through }) => (through === 2 ? lost : arrives));
    await bench.append();
    bench.start();
    await bench.following();
    await bench.attached();
    for (let count = 0; count < 20; count += 1) await bench.append();
    const { reads } = bench;
    await bench.relay();
    await until(() => bench.applied.length === 21);
    expect(bench.applied).toEqual(await bench.expected());
    // One for the gap, one for the identity of the log.
    expect(bench.reads - reads).toBeLessThanOrEqual(2);
    expect(bench.faults).toEqual([]);
    expect(bench.running?.state().mode).toBe('following');
  });

  test('notices a lost last message by the head of the log, not by anything that the relay says', async () => {
    bench.broker = chaoticBroker(bench.memory, () => lost);
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.append();
    await bench.append(elsewhere);
    await bench.relay();
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 1;
    });
    expect(bench.applied).toEqual([1]);
  });

  test('goes on from the log when its queue dropped what was too old', async () => {
    await bench.end();
    bench = new Bench(3);
    bench.start();
    await bench.following();
    await bench.attached();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let isHeld = false;
    bench.before = () => {
      isHeld = true;
      return held;
    };
    await bench.append();
    await bench.relay();
    await until(() => isHeld);
    for (let index = 0; index < 50; index += 1) await bench.append();
    await bench.relay();
    expect(await bench.depth).toBeLessThanOrEqual(3);
    release();
    await until(() => bench.applied.length === 51);
    expect(bench.applied).toEqual(await bench.expected());
    expect(bench.faults).toEqual([]);
  });

  test('pauses on a failure, tries again in place, and keeps the order', async () => {
    let failures = 3;
    bench.before = () => {
      if (failures > 0) {
        failures -= 1;
        throw new Unavailable('read store', 'Locked.');
      }
    };
    bench.start();
    await bench.append();
    await bench.append();
    await bench.relay();
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 2;
    });
    await bench.following();
    expect(bench.applied).toEqual([1, 2]);
    expect(bench.faults).toHaveLength(3);
    expect(bench.running?.state()).toMatchObject({ mode: 'following', position: 2 });
  });

  test('says why it is paused, and then goes on where it was', async () => {
    bench.start();
    await bench.following();
    await bench.attached();
    bench.before = () => {
      throw new Unavailable('read store', 'Locked.');
    };
    for (let index = 0; index < 10; index += 1) await bench.append();
    await bench.relay();
    await until(() => bench.running?.state().mode === 'paused');
    expect(bench.running?.state().fault).toBeInstanceOf(Unavailable);
    expect(bench.applied).toEqual([]);
    await until(async () => (await bench.depth) === 0);
    bench.before = () => undefined;
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 10;
    });
    expect(bench.applied).toEqual(await bench.expected());
  });

  test('waits longer after each failure, up to a bound, and no longer once it works again', async () => {
    bench.before = () => {
      throw new Unavailable('read store', 'Locked.');
    };
    await bench.append();
    bench.start();
    const waits: number[] = [];
    const own = (): number[] => bench.timer.waits.filter((wait) => wait !== lookEveryMs);
    while (waits.length < 14) {
      await until(() => own().length === 1);
      waits.push(own()[0]!);
      bench.timer.elapse();
    }
    for (const [failures, wait] of waits.entries()) {
      expect(wait).toBeLessThanOrEqual(Math.min(10_000, 50 * 2 ** failures));
    }
    expect(Math.max(...waits)).toBeGreaterThan(1000);
    bench.before = () => undefined;
    bench.timer.elapse();
    await bench.following();
    bench.before = () => {
      throw new Unavailable('read store', 'Locked.');
    };
    await bench.append();
    await bench.relay();
    await until(() => bench.running?.state().mode === 'paused');
    await until(() => own().length === 1 && own()[0]! <= 50);
  });

  test('stands still before an event from the future, with everything before it applied, and never skips it', async () => {
    await bench.append();
    await bench.append('o1', { schemaVersion: 9 });
    await bench.append();
    bench.start();
    await until(() => bench.running?.state().mode === 'paused');
    expect(bench.applied).toEqual([1]);
    expect(bench.position).toBe(1);
    expect(bench.running?.state()).toMatchObject({ mode: 'paused', position: 1 });
    expect(bench.running?.state().fault).toBeInstanceOf(EventFromTheFuture);
    await bench.attached();
    await bench.relay();
    await until(() => {
      bench.timer.elapse();
      return bench.faults.length >= 3;
    });
    expect(bench.applied).toEqual([1]);
  });

  test('passes by an event from the future of a category it does not take', async () => {
    await bench.append('o1', { type: 'FulfilmentPondered', schemaVersion: 1 }, 'fulfilment');
    await bench.append('o1', { type: 'ParcelWrapped' }, 'parcel');
    await bench.append();
    bench.start();
    await bench.following();
    expect(bench.applied).toEqual([3]);
  });

  test('follows in the end though something comes whenever it has read the log, and reads little of it', async () => {
    const most = 300;
    let count = 0;
    bench.afterRead = async () => {
      if (count++ >= most) return;
      await bench.append();
      await bench.relay();
    };
    await bench.append();
    bench.start();
    await bench.following();
    expect(count).toBeLessThan(10);
    bench.afterRead = () => undefined;
    const expected = await bench.expected();
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === expected.length;
    });
    expect(bench.applied).toEqual(expected);
    expect(bench.faults).toEqual([]);
  });

  test('lets go what comes of a log that does not show its first event yet, and finds it later', async () => {
    bench.start();
    await bench.following();
    await bench.attached();
    bench.isBlind = true;
    await bench.append();
    await bench.relay();
    await bench.attached();
    expect([bench.applied, bench.faults]).toEqual([[], []]);
    bench.isBlind = false;
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 1;
    });
  });

  test('waits for a log that does not show yet what a message had', async () => {
    bench.broker = chaoticBroker(bench.memory, ({ through }) => (through === 2 ? lost : arrives));
    await bench.append();
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.relay();
    await bench.attached();
    await bench.append();
    await bench.append();
    bench.isBlind = true;
    bench.afterRead = () => turns();
    await bench.relay();
    await until(() => bench.running?.state().mode === 'paused');
    expect(bench.running?.state().fault).toBeInstanceOf(Unavailable);
    bench.isBlind = false;
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 3;
    });
    await bench.following();
  });

  test('applies one thing at a time, also when its queue is lost meanwhile', async () => {
    let lose = (_: Error): void => undefined;
    bench.broker = {
      ...chaoticBroker(bench.memory, () => arrives),
      consume: async (queue, prefetch, onBatches) => {
        const taker = await bench.memory.consume(queue, prefetch, onBatches);
        const cut = new Promise<void>((_, reject) => (lose = reject));
        return { close: () => taker.close(), stopped: Promise.race([taker.stopped, cut]) };
      },
    };
    bench.start();
    await bench.following();
    await bench.attached();
    let finish = (): void => undefined;
    let atOnce = 0;
    let most = 0;
    bench.before = () => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      return new Promise((resolve) => {
        finish = () => {
          atOnce -= 1;
          resolve();
        };
      });
    };
    await bench.append();
    await bench.relay();
    await until(() => atOnce === 1);
    lose(new Unavailable('broker', 'The connection is lost.'));
    await until(() => bench.faults.length === 1);
    await bench.append();
    await bench.look(3);
    await until(() => {
      bench.timer.elapse();
      finish();
      return bench.applied.length === 2;
    });
    expect(most).toBe(1);
    expect(bench.applied).toEqual([1, 2]);
  });

  test('has a queue again when it lost it, and goes on by the log meanwhile', async () => {
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.memory.remove({ consumer, partition });
    await until(() => bench.faults.length === 1);
    expect(bench.running?.state().mode).toBe('following');
    await bench.append();
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 1;
    });
    await until(async () => {
      bench.timer.elapse();
      return (await bench.depth.catch(() => -1)) === 0;
    });
    await bench.following();
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 2);
    expect(bench.faults.map(({ message }) => message)).toEqual([`The queue of notes/${partition} was removed.`]);
  });

  test('finishes what is being applied before it stops, and applies nothing afterwards', async () => {
    bench.start();
    await bench.following();
    await bench.attached();
    let finish = (): void => undefined;
    let started = false;
    bench.before = () =>
      new Promise((resolve) => {
        started = true;
        finish = resolve;
      });
    await bench.append();
    await bench.relay();
    await until(() => started);
    let stopped = false;
    const stopping = bench.running!.stop().then(() => {
      stopped = true;
    });
    await bench.append();
    await bench.relay();
    expect(stopped).toBe(false);
    finish();
    await stopping;
    expect(bench.applied).toEqual([1]);
    expect(bench.running?.state().mode).toBe('stopped');
  });
});

describe('a consumer whose log does not show yet what is known', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
    // Whoever reads again and again lets others have their turn.
    bench.afterRead = () => turns();
  });
  afterEach(async () => {
    bench.shownUpTo = Infinity;
    await bench.end();
  });

  test.each([0, 2])('is not level with a head that it has read only up to %d of 3', async (shown) => {
    for (let count = 0; count < 3; count += 1) await bench.append();
    const recorded = bench.clock.now();
    bench.clock.advance(60_000);
    bench.shownUpTo = shown;
    bench.start();
    await until(() => bench.running?.state().mode !== 'catching-up');
    expect(bench.running?.state()).toMatchObject({
      mode: 'paused',
      position: shown,
      fault: new Unavailable('event store', 'The log does not show position 3 yet.'),
    });
    expect(bench.running?.state().handledUntilMs).toBe(shown === 0 ? undefined : recorded);
    bench.shownUpTo = Infinity;
    await until(() => {
      bench.timer.elapse();
      return bench.running?.state().mode === 'following';
    });
    expect(bench.applied).toEqual([1, 2, 3]);
    expect(bench.running?.state().handledUntilMs).toBe(bench.clock.now());
  });

  test.each([1, 2])('applies no message behind a gap that it is shown only up to %d of 3', async (shown) => {
    bench.broker = chaoticBroker(bench.memory, ({ through }) => (through === 2 || through === 3 ? lost : arrives));
    await bench.append();
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.relay();
    await bench.attached();
    for (let count = 0; count < 3; count += 1) await bench.append();
    // The relay has its own way to the log.
    bench.shownUpTo = shown;
    const { reads } = bench;
    await bench.relay();
    await until(() => bench.running?.state().mode === 'paused' || bench.reads > reads + 20);
    expect(bench.running?.state()).toMatchObject({
      mode: 'paused',
      position: shown,
      fault: new Unavailable('event store', 'The log does not show position 3 yet.'),
    });
    expect(bench.applied).toEqual([1, 2].slice(0, shown));
    bench.shownUpTo = Infinity;
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 4;
    });
    expect(bench.applied).toEqual([1, 2, 3, 4]);
  });

  test('lets no message of its own log go for good, of which it was shown no event when it came', async () => {
    bench.start();
    await bench.following();
    await bench.attached();
    await bench.append();
    bench.isBlind = true;
    await bench.relay();
    await until(async () => (await bench.depth) === 0);
    await turns(20);
    expect(bench.running?.state()).toMatchObject({ mode: 'following', position: 0 });
    bench.isBlind = false;
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 2);
    expect(bench.applied).toEqual([1, 2]);
    expect(bench.faults).toEqual([]);
  });
});

describe('a consumer that applies one event at a time of a message that brings three', () => {
  let bench: Bench;
  /** Where its target stood before each event. */
  let stood: number[];
  beforeEach(async () => {
    bench = new Bench();
    bench.relayed = new RelayByHand(bench.log);
    stood = [];
    bench.before = () => void stood.push(bench.position);
    bench.start(1);
    await bench.following();
    await bench.attached();
    for (let count = 0; count < 3; count += 1) await bench.append();
  });
  afterEach(() => bench.end());

  test('moves its position behind each that is applied, and never further', async () => {
    await bench.relay();
    await until(() => bench.applied.length === 3);
    expect(stood).toEqual([0, 1, 2]);
    expect(bench.position).toBe(3);
  });

  test('stops between two of them', async () => {
    let stopping: Promise<void> | undefined;
    bench.before = () => {
      stopping = bench.running!.stop();
    };
    await bench.relay();
    await until(() => stopping !== undefined);
    await stopping;
    expect([bench.applied, bench.position]).toEqual([[1], 1]);
  });
});

test('what a consumer has handled is counted from when it asked for the head, not from when it had read up to it', async () => {
  const bench = new Bench();
  await bench.append();
  bench.clock.advance(60_000);
  const askedMs = bench.clock.now();
  bench.afterRead = () => bench.clock.advance(60_000);
  bench.start();
  await bench.following();
  expect(bench.clock.now()).toBeGreaterThan(askedMs);
  expect(bench.running?.state().handledUntilMs).toBe(askedMs);
  await bench.end();
});

describe('whatever a broker does', () => {
  const fates = fc.array(fc.record({ copies: fc.nat(2), delay: fc.nat(6) }), { minLength: 1, maxLength: 30 });
  const parts = fc.array(fc.record({ events: fc.nat(6), foreign: fc.nat(2), ignored: fc.nat(2) }), {
    minLength: 1,
    maxLength: 6,
  });

  test('every event is applied once and in order, in batches of any size, over restarts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fates,
        parts,
        fc.integer({ min: 1, max: 5 }),
        fc.nat(3),
        fc.record({ maxBatches: fc.integer({ min: 1, max: 20 }), maxEvents: fc.integer({ min: 1, max: 3 }) }),
        async (fate, plan, batch, restartAt, { maxBatches, maxEvents }) => {
          const bench = new Bench(maxBatches);
          bench.relayed = new RelayByHand(bench.log, { maxEvents });
          let turn = 0;
          bench.broker = chaoticBroker(bench.memory, () => fate[turn++ % fate.length]!);
          try {
            bench.start(batch);
            for (const [index, { events, foreign, ignored }] of plan.entries()) {
              for (let count = 0; count < events; count += 1) await bench.append();
              for (let count = 0; count < foreign; count += 1) await bench.append(elsewhere);
              for (let count = 0; count < ignored; count += 1) await bench.append('o1', {}, 'delivery');
              await bench.relay();
              if (index !== restartAt) continue;
              await bench.running!.stop();
              bench.start(batch);
            }
            const expected = await bench.expected();
            await until(() => {
              bench.timer.elapse();
              return bench.applied.length >= expected.length && bench.running?.state().mode === 'following';
            });
            await until(async () => {
              bench.timer.elapse();
              return (await bench.depth.catch(() => 0)) === 0;
            });
            expect(bench.applied).toEqual(expected);
          } finally {
            await bench.end();
          }
        },
      ),
      { numRuns: runs(100, 1000) },
    );
  });
});
