import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import {
  consumePartition,
  consumerTuning,
  type ConsumerMeans,
  type PartitionConsumer,
  type PartitionTarget,
} from '@waybill/shared-kernel/consume-partition.js';
import { EventFromTheFuture, Unavailable } from '@waybill/shared-kernel/errors.js';
import { linkChain } from '@waybill/shared-kernel/link-chain.js';
import { identityOf } from '@waybill/shared-kernel/log-identity.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partition.js';
import type { Broker } from '@waybill/shared-kernel/ports/broker.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import type { ReadStore, RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';
import { chaoticBroker, type Fate } from '@waybill/shared-kernel/testing/chaotic-broker.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { until } from '@waybill/shared-kernel/testing/until.js';

const consumer = 'notes';
const partition = partitionOf('o1');
/** An order of another partition. */
const elsewhere = ['o2', 'o3', 'o4'].find((id) => partitionOf(id) !== partition)!;

/** A log, a relay that a test moves by hand, and a target that notes what it is given. */
class Bench {
  readonly clock = virtualClock('2026-03-01T12:00:00Z');
  readonly log = new MemoryEventStore(this.clock);
  readonly readStore: ReadStore = openSqliteReadStore(':memory:');
  readonly timer = manualTimer();
  readonly randomness: Randomness;
  readonly memory: Broker;
  broker: Broker;
  /** Positions applied, in order. */
  readonly applied: number[] = [];
  position = 0;
  readonly faults: Error[] = [];
  reads = 0;
  /** Told from where the log is read. */
  beforeRead: (after: number) => void = () => undefined;
  /** Runs after the log was read, before what was read is handed over. */
  afterRead: () => Promise<void> | void = () => undefined;
  /** Whether the log shows nothing, as a replica that is behind. */
  isBlind = false;
  /** Runs before events are applied; a throw is a failure of the target. */
  before: (events: readonly RecordedEvent[]) => Promise<void> | void = () => undefined;
  running: PartitionConsumer | undefined;
  readonly #revisions = new Map<string, number>();

  constructor(capacity = 1000, seed = 'bench') {
    this.randomness = seededRandomness(seed);
    this.memory = openMemoryBroker({ capacity });
    this.broker = this.memory;
  }

  readonly target: PartitionTarget = {
    consumer,
    partition,
    categories: ['order'],
    position: () => Promise.resolve(this.position),
    apply: async (events, position) => {
      await this.before(events);
      this.applied.push(...events.map((event) => event.position));
      this.position = position;
    },
  };

  start(batch = consumerTuning.batch): PartitionConsumer {
    const { broker, timer, randomness } = this;
    const store: ConsumerMeans['store'] = {
      readAll: async (after, limit) => {
        this.reads += 1;
        this.beforeRead(after);
        const page = await this.log.readAll(after, this.isBlind ? 0 : limit);
        await this.afterRead();
        return page;
      },
    };
    const report = (fault: Error): void => {
      this.faults.push(fault);
    };
    const means = { broker, store, checkpoints: this.readStore, timer, randomness, report };
    this.running = consumePartition(this.target, means, { ...consumerTuning, batch });
    return this.running;
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

  /** Relays the next events, at most so many. */
  async relay(limit = 1000, broker = this.broker): Promise<void> {
    const checkpoint = await this.readStore.relayCheckpoint();
    await this.relayThese(await this.log.readAll(checkpoint.position, limit), checkpoint, broker);
  }

  async relayThese(events: readonly RecordedEvent[], checkpoint: RelayCheckpoint, broker = this.broker): Promise<void> {
    const identity = (await identityOf(this.log)) ?? 'none';
    const { messages, reached } = linkChain(events, checkpoint, identity);
    await broker.publish(messages);
    await this.readStore.saveRelayCheckpoint(reached);
  }

  async following(): Promise<void> {
    await until(() => this.running?.state().mode === 'following');
  }

  async expected(): Promise<number[]> {
    const events: readonly RecordedEvent[] = await this.log.readAll(0, 10_000);
    const mine = events.filter(
      (event) => partitionOf(event.partitionKey) === partition && event.stream.startsWith('order-'),
    );
    return mine.map((event) => event.position);
  }

  async end(): Promise<void> {
    await this.running?.stop();
    await this.memory.close();
    await this.log.close();
    await this.readStore.close();
  }
}

const nothingRelayed: RelayCheckpoint = { position: 0, heads: {} };
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
    expect(bench.applied).toEqual([1]);
    const { reads } = bench;
    await bench.append();
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 3);
    expect(bench.applied).toEqual(await bench.expected());
    expect(bench.reads).toBe(reads);
    await until(async () => (await bench.memory.depth({ consumer, partition })) === 0);
    expect(bench.running?.state()).toEqual({ mode: 'following', position: 4 });
  });

  test('goes on from the position of its target', async () => {
    await bench.append();
    await bench.append();
    bench.position = 1;
    bench.start();
    await bench.following();
    expect(bench.applied).toEqual([2]);
  });

  const fulfilmentStarted = { type: 'FulfilmentStarted', data: { orderId: 'o1', customerId: 'ada' } };

  test('is not handed events that the target does not take, and misses none of its own for that', async () => {
    await bench.append();
    bench.start();
    await bench.following();
    await bench.append('o1', fulfilmentStarted, 'fulfilment');
    await bench.relay();
    expect(await bench.memory.depth({ consumer, partition })).toBeLessThanOrEqual(1);
    const { reads } = bench;
    await bench.append();
    await bench.append('o1', fulfilmentStarted, 'fulfilment');
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 3);
    expect(bench.applied).toEqual([1, 3, 5]);
    expect(bench.reads).toBe(reads);
  });

  test('passes in quiet times, and when it starts, what the relay has met without an event for it', async () => {
    await bench.append();
    bench.start();
    await bench.following();
    for (let count = 0; count < 3; count += 1) await bench.append('o1', fulfilmentStarted, 'fulfilment');
    await bench.relay();
    await until(() => {
      bench.timer.elapse();
      return bench.running?.state().position === 4;
    });
    expect(bench.position).toBe(1);
    await bench.running!.stop();
    const readFrom: number[] = [];
    bench.beforeRead = (after) => void readFrom.push(after);
    bench.start();
    await bench.following();
    expect(new Set(readFrom.filter((after) => after > 0))).toEqual(new Set([4]));
    expect(bench.applied).toEqual([1]);
  });

  test('lets messages of another log go, whatever their positions are, and says so once', async () => {
    const other = new Bench(1000, 'other');
    for (let count = 0; count < 5; count += 1) await other.append();
    const foreign = await other.log.readAll(0, 10);
    bench.start();
    await bench.following();
    await other.relayThese(foreign, nothingRelayed, bench.memory);
    await until(async () => (await bench.memory.depth({ consumer, partition })) === 0);
    await bench.following();
    await bench.append();
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 2);
    await other.relayThese(foreign, nothingRelayed, bench.memory);
    await other.relayThese(foreign, nothingRelayed, bench.memory);
    await until(async () => (await bench.memory.depth({ consumer, partition })) === 0);
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 3);
    expect(bench.applied).toEqual([1, 2, 3]);
    expect(bench.faults.map(({ message }) => message)).toEqual([
      'Messages of another log were in the queue, and are let go.',
    ]);
    await other.end();
  });

  test('finds the first event of a log that showed none when its message came', async () => {
    bench.start();
    await bench.following();
    bench.isBlind = true;
    await bench.append();
    await bench.relay();
    await until(async () => (await bench.memory.depth({ consumer, partition })) === 0);
    bench.isBlind = false;
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 1;
    });
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

  test('takes duplicates in silence', async () => {
    bench.broker = chaoticBroker(bench.memory, () => ({ copies: 3, delay: 2 }));
    bench.start();
    await bench.following();
    for (let index = 0; index < 5; index += 1) await bench.append();
    await bench.relay();
    await bench.relay();
    await until(() => bench.applied.length >= 5);
    await until(async () => (await bench.memory.depth({ consumer, partition })) === 0);
    expect(bench.applied).toEqual([1, 2, 3, 4, 5]);
  });

  test('reads from the log what was lost before a message', async () => {
    bench.broker = chaoticBroker(bench.memory, ({ event }) => (event.position === 2 ? lost : arrives));
    bench.start();
    await bench.following();
    for (let index = 0; index < 4; index += 1) await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 4);
    expect(bench.applied).toEqual([1, 2, 3, 4]);
    expect(bench.faults).toEqual([]);
  });

  test('finds a lost last message when it has been idle, and looks at the log for nothing else', async () => {
    bench.broker = chaoticBroker(bench.memory, () => lost);
    bench.start();
    await bench.following();
    const { reads } = bench;
    await until(() => bench.timer.waits.length === 1);
    bench.timer.elapse();
    await until(() => bench.timer.waits.length === 1);
    expect(bench.reads).toBe(reads);
    await bench.append();
    await bench.append(elsewhere);
    await bench.relay();
    bench.timer.elapse();
    await until(() => bench.applied.length === 1);
    expect(bench.applied).toEqual([1]);
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
    expect(bench.running?.state()).toEqual({ mode: 'following', position: 2 });
  });

  test('says why it is paused, and fills no queue meanwhile', async () => {
    await bench.end();
    bench = new Bench(2);
    bench.start();
    await bench.following();
    bench.before = () => {
      throw new Unavailable('read store', 'Locked.');
    };
    for (let index = 0; index < 10; index += 1) await bench.append();
    // Would wait for ever on a queue that stands still.
    for (let index = 0; index < 10; index += 1) await bench.relay(1);
    await until(() => bench.running?.state().mode === 'paused');
    expect(bench.running?.state().fault).toBeInstanceOf(Unavailable);
    expect(bench.applied).toEqual([]);
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
    while (waits.length < 14) {
      await until(() => bench.timer.waits.length === 1);
      waits.push(bench.timer.waits[0]!);
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
    await until(() => bench.timer.waits.length === 1 && bench.timer.waits[0]! <= 50);
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
    await bench.relay();
    await until(() => bench.timer.waits.length === 1);
    bench.timer.elapse();
    await until(() => bench.faults.length === 2);
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
    await until(() => bench.applied.length === expected.length);
    expect(bench.applied).toEqual(expected);
    expect(bench.faults).toEqual([]);
  });

  test('goes on with messages behind a hole once it has read what is missing, whatever comes meanwhile', async () => {
    bench.broker = chaoticBroker(bench.memory, ({ event }) => (event.position === 2 ? lost : arrives));
    await bench.append();
    bench.start();
    await bench.following();
    const { reads } = bench;
    for (let count = 0; count < 20; count += 1) await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 21);
    expect(bench.applied).toEqual(await bench.expected());
    expect(bench.reads).toBe(reads + 1);
    expect(bench.running?.state().mode).toBe('following');
  });

  test('reads on when a message came while it read the log to its end', async () => {
    let isFirst = true;
    bench.afterRead = async () => {
      if (!isFirst) return;
      isFirst = false;
      await bench.append();
      await bench.relay();
      await until(async () => (await bench.memory.depth({ consumer, partition })) === 0);
    };
    bench.start();
    await bench.following();
    expect(bench.applied).toEqual([1]);
    expect(bench.faults).toEqual([]);
  });

  test('waits for a log that does not show yet what a message had', async () => {
    bench.broker = chaoticBroker(bench.memory, ({ event }) => (event.position === 2 ? lost : arrives));
    await bench.append();
    bench.start();
    await bench.following();
    bench.isBlind = true;
    await bench.append();
    await bench.append();
    const events = await bench.log.readAll(0, 10);
    await bench.relayThese(events, nothingRelayed);
    await until(() => bench.running?.state().mode === 'paused');
    expect(bench.running?.state().fault).toBeInstanceOf(Unavailable);
    bench.isBlind = false;
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 3;
    });
    await bench.following();
  });

  test('applies one thing at a time, also when the broker is lost meanwhile', async () => {
    let lose = (_: Error): void => undefined;
    bench.broker = {
      ...chaoticBroker(bench.memory, () => arrives),
      consume: async (queue, prefetch, onMessages) => {
        const taker = await bench.memory.consume(queue, prefetch, onMessages);
        const cut = new Promise<void>((_, reject) => (lose = reject));
        return { close: () => taker.close(), stopped: Promise.race([taker.stopped, cut]) };
      },
    };
    bench.start();
    await bench.following();
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
    await until(() => bench.running?.state().mode === 'paused' && bench.timer.waits.length === 1);
    bench.timer.elapse();
    await bench.append();
    const { reads } = bench;
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(bench.reads).toBe(reads);
    await until(() => {
      finish();
      return bench.applied.length === 2;
    });
    expect(most).toBe(1);
    expect(bench.applied).toEqual([1, 2]);
  });

  test('connects again when it lost its queue', async () => {
    bench.start();
    await bench.following();
    await bench.memory.remove({ consumer, partition });
    await until(() => bench.running?.state().mode === 'paused');
    await bench.append();
    await bench.relay();
    await until(() => {
      bench.timer.elapse();
      return bench.applied.length === 1;
    });
    await bench.following();
    await bench.append();
    await bench.relay();
    await until(() => bench.applied.length === 2);
    expect(bench.faults).toHaveLength(1);
  });

  test('finishes what is being applied before it stops, and applies nothing afterwards', async () => {
    bench.start();
    await bench.following();
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
        async (fate, plan, batch, restartAt) => {
          const bench = new Bench();
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
            await until(async () => (await bench.memory.depth({ consumer, partition })) === 0);
            expect(bench.applied).toEqual(expected);
          } finally {
            await bench.end();
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
