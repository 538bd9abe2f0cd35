import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { Broker, EventBatch } from '@waybill/shared-kernel/ports/broker.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { ReadStore, RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';
import { upTo } from '@waybill/shared-kernel/testing/at.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { relayTuning, startRelay, type Relay, type RelayDependencies, type RelayTuning } from './relay.js';
import { lookEveryMs } from './watched-subscription.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

const clock = virtualClock('2026-03-01T12:00:00Z');
const queues = Array.from({ length: partitionCount }, (_, partition) => ({ consumer: 'notes', partition }));

async function logOf(keys: readonly string[]): Promise<MemoryEventStore> {
  const log = new MemoryEventStore(clock);
  for (const key of keys) await append(log, key);
  return log;
}

const randomness = seededRandomness('relay');

async function append(log: MemoryEventStore, key: string): Promise<void> {
  const id = randomness.uuid();
  const occurredAt = '2026-03-01T12:00:00.000Z';
  const cause = { correlationId: id, causationId: id };
  const event = { id, type: 'OrderConfirmed', schemaVersion: 1, occurredAt, ...cause, partitionKey: key, data: {} };
  await log.append(`order-${id}`, -1, [event]);
}

/** A relay and what reaches its queues; faults happen where `fail` says so. */
class Bench {
  readonly memory = openMemoryBroker({ maxBatches: 100_000 });
  readonly readStore: ReadStore = openSqliteReadStore(':memory:');
  readonly timer = manualTimer();
  readonly batches: EventBatch[] = [];
  readonly faults: Error[] = [];
  /** Pages that it was told of: behind which position, and how many events had arrived then. */
  readonly seen: { readonly after: number; readonly through: number; readonly arrived: number }[] = [];
  fail: (step: 'publish' | 'published' | 'save' | 'saved') => void = () => undefined;

  constructor(readonly log: MemoryEventStore) {}

  async consume(): Promise<void> {
    for (const queue of queues) {
      await this.memory.declare(queue, ['order']);
      await this.memory.consume(queue, 1000, (batches) => void this.batches.push(...batches));
    }
  }

  start(tuning: Partial<RelayTuning> = {}, store: RelayDependencies['store'] = this.log): Relay {
    const publish: Broker['publish'] = async (batches) => {
      this.fail('publish');
      await this.memory.publish(batches);
      this.fail('published');
    };
    return this.#start(tuning, publish, undefined, store);
  }

  /** A broker that confirms each publication when it is told to; the positions of the checkpoints go to `saved`. */
  startUnconfirmed(tuning: Partial<RelayTuning>, saved: number[] = []): { relay: Relay; confirms: (() => void)[] } {
    const confirms: (() => void)[] = [];
    const { readStore } = this;
    const relay = this.#start(
      tuning,
      async (batches) => {
        const confirmed = new Promise<void>((resolve) => confirms.push(resolve));
        await this.memory.publish(batches);
        await confirmed;
      },
      async (checkpoint) => {
        saved.push(checkpoint.through);
        await readStore.saveRelayCheckpoint(checkpoint);
      },
    );
    return { relay, confirms };
  }

  #start(
    tuning: Partial<RelayTuning>,
    publish: Broker['publish'],
    saveRelayCheckpoint = async (checkpoint: RelayCheckpoint): Promise<void> => {
      this.fail('save');
      await this.readStore.saveRelayCheckpoint(checkpoint);
      this.fail('saved');
    },
    store: RelayDependencies['store'] = this.log,
  ): Relay {
    const checkpoints: RelayDependencies['checkpoints'] = {
      relayCheckpoint: () => this.readStore.relayCheckpoint(),
      saveRelayCheckpoint,
      resetRelayCheckpoint: (...asked) => this.readStore.resetRelayCheckpoint(...asked),
      madeFrom: () => this.readStore.madeFrom(),
      noteMadeFrom: (...asked) => this.readStore.noteMadeFrom(...asked),
    };
    const report = (fault: Error): void => {
      this.faults.push(fault);
    };
    const { timer } = this;
    const seen: RelayDependencies['seen'] = (after, { through }) =>
      this.seen.push({ after, through, arrived: this.arrived.length });
    return startRelay(
      { store, broker: { publish }, checkpoints, timer, randomness, report, seen },
      { ...relayTuning, linger: 0, rest: 0, backOff: { first: 50, most: 100 }, ...tuning },
    );
  }

  /** Events, as they arrived. */
  get arrived(): readonly RecordedEvent[] {
    return this.batches.flatMap(({ events }) => events);
  }

  /**
   * Every event is there and, unless something failed while more was published, the first arrival of each
   * follows the first arrival of the one before it.
   */
  async expectComplete({ inOrder = true } = {}): Promise<void> {
    const events = await wholeLog(this.log);
    for (const { partition } of queues) {
      const mine = events.filter((event) => partitionOf(event.partitionKey) === partition);
      const batches = this.batches.filter((batch) => batch.partition === partition);
      const arrived = batches.flatMap((batch) => batch.events);
      const first = arrived.filter(
        (event, index) => arrived.findIndex((other) => other.position === event.position) === index,
      );
      if (!inOrder) first.sort((one, other) => one.position - other.position);
      expect(first).toEqual(mine);
      for (const { log, previous, events: own, through } of batches) {
        const before = mine.filter((event) => event.position < own[0]!.position).at(-1)?.position ?? 0;
        expect(Math.max(previous.since, previous.positions['order'] ?? 0)).toBeGreaterThanOrEqual(before);
        const next = mine.find((event) => event.position > own.at(-1)!.position)?.position ?? Infinity;
        expect(through).toBeLessThan(next);
        expect(log).toBe(`1:${events[0]!.id}`);
      }
    }
  }

  async end(): Promise<void> {
    await this.memory.close();
    await this.readStore.close();
    await this.log.close();
  }
}

const sizes = fc.integer({ min: 1, max: 9 });
const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), { maxLength: 40 });

/** A log whose subscriptions are others. */
function withSubscription(log: MemoryEventStore, subscribe: MemoryEventStore['subscribe']): RelayDependencies['store'] {
  return {
    subscribe,
    readAll: (...asked) => log.readAll(...asked),
    recordAt: (...asked) => log.recordAt(...asked),
    head: () => log.head(),
  };
}

/** Something was taken from a stream: nothing is published of that. */
async function mark(log: MemoryEventStore): Promise<number> {
  const { events } = await log.readAll(0, 1);
  log.truncate(events[0]!.stream, 1);
  return log.head();
}

test.each([
  ['as it goes on', 0],
  ['as the first thing that it meets', 2],
])('what is said of a stream %s is what was before the next batch, in each partition', async (_, since) => {
  const log = await logOf(['a', 'b']);
  const bench = new Bench(log);
  if (since > 0) await bench.readStore.saveRelayCheckpoint({ ...upTo(since), heads: {} });
  await bench.consume();
  const marked = await mark(log);
  const relay = bench.start();
  await until(() => relay.position() === marked);
  for (const key of ['a', 'b', 'c', 'd']) await append(log, key);
  const head = await log.head();
  await until(() => bench.batches.some(({ through }) => through === head));
  const after = bench.batches.filter(({ through }) => through > marked);
  expect(after.length).toBeGreaterThan(0);
  const before = new Set<number>();
  for (const { partition, previous } of after) {
    if (before.has(partition)) continue;
    before.add(partition);
    expect(Math.max(previous.since, previous.positions['order'] ?? 0)).toBe(marked);
  }
  await relay.stop();
  await bench.end();
});

describe('the relay', () => {
  test('carries what is in the log and what comes, and remembers how far it got', async () => {
    const bench = new Bench(await logOf(['a', 'b']));
    await bench.consume();
    const relay = bench.start();
    await until(() => relay.position() === 2);
    await append(bench.log, 'c');
    await until(() => relay.position() === 3 && bench.arrived.length === 3);
    await relay.stop();
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ through: 3 });
    await append(bench.log, 'd');
    const next = bench.start();
    await until(() => bench.arrived.length === 4);
    await next.stop();
    await bench.expectComplete();
    expect(bench.faults).toEqual([]);
    await bench.end();
  });

  test('tells of each page before it is published', async () => {
    const bench = new Bench(await logOf(['a', 'b', 'c']));
    await bench.consume();
    const relay = bench.start({ batch: 2 });
    await until(() => relay.position() === 3 && bench.arrived.length === 3);
    expect(bench.seen).toEqual([
      { after: 0, through: 2, arrived: 0 },
      { after: 2, through: 3, arrived: 2 },
    ]);
    await relay.stop();
    await bench.end();
  });

  test('takes up again a subscription that died without a word', async () => {
    const bench = new Bench(await logOf(['a']));
    await bench.consume();
    const { log } = bench;
    let isSilent = true;
    const subscribe: MemoryEventStore['subscribe'] = async function* (after, limit, signal) {
      for await (const batch of log.subscribe(after, limit, signal)) {
        // It hears nothing any more, not even that it is over.
        if (isSilent && after === 0 && batch.events.some(({ position }) => position > 1)) {
          await new Promise(() => undefined);
        }
        yield batch;
      }
    };
    const relay = bench.start({}, withSubscription(log, subscribe));
    await until(() => relay.position() === 1);
    await append(log, 'b');
    await until(() => {
      if (bench.timer.waits.includes(lookEveryMs)) bench.timer.elapse();
      return bench.faults.length > 0;
    });
    expect(bench.faults.map(({ message }) => message)).toEqual(['The subscription to the log has stopped delivering.']);
    isSilent = false;
    await until(() => {
      bench.timer.elapse();
      return relay.position() === 2 && bench.arrived.length >= 2;
    });
    await relay.stop();
    await bench.expectComplete();
    await bench.end();
  });

  test.each([
    [3, 0],
    [20, 5],
    [100, 10],
  ])(
    'after a batch of %d events it lingers for %d ms: the more come, the more go together',
    async (events, lingers) => {
      const bench = new Bench(await logOf(Array<string>(events).fill('a')));
      await bench.consume();
      const relay = bench.start({ linger: 10 });
      await until(() => relay.position() === events && bench.timer.waits.includes(lingers) === lingers > 0);
      // The saving of the checkpoint, which rests for no time here, is the other.
      expect(bench.timer.waits.filter((wait) => wait > 0 && wait <= 10)).toEqual(lingers === 0 ? [] : [lingers]);
      await relay.stop();
      await bench.end();
    },
  );

  test('lingers after a batch that was not full, so that what comes meanwhile goes together', async () => {
    const bench = new Bench(await logOf(Array<string>(40).fill('a')));
    await bench.consume();
    const relay = bench.start({ linger: 10 });
    await until(() => bench.timer.waits.includes(10) && relay.position() === 40);
    let batches = 0;
    bench.fail = (step) => {
      if (step === 'publish') batches += 1;
    };
    for (const key of ['a', 'b', 'c']) await append(bench.log, key);
    bench.timer.elapse();
    await until(() => relay.position() === 43);
    expect(batches).toBe(1);
    await relay.stop();
    await bench.end();
  });

  test('does not linger while the log goes on, though a page is not full', async () => {
    const bench = new Bench(await logOf(['a', 'b']));
    await bench.consume();
    const { log } = bench;
    const subscribe: MemoryEventStore['subscribe'] = async function* (after, limit, signal) {
      yield await log.readAll(after, 1);
      yield* log.subscribe(after + 1, limit, signal);
    };
    const relay = bench.start({ linger: 10 }, withSubscription(log, subscribe));
    await until(() => relay.position() === 2);
    await relay.stop();
    await bench.expectComplete();
    await bench.end();
  });

  test('saves nothing where nothing has come since its checkpoint', async () => {
    const bench = new Bench(await logOf(['a', 'b']));
    await bench.readStore.saveRelayCheckpoint({ through: 2, anchors: [], heads: {} });
    const saved: number[] = [];
    const { relay } = bench.startUnconfirmed({}, saved);
    await until(() => relay.position() === 2);
    await turns(20);
    await relay.stop();
    expect(saved).toEqual([]);
    await bench.end();
  });

  test('publishes ahead of the confirms, so far and no further, and the checkpoint never passes one that is due', async () => {
    const bench = new Bench(await logOf(['a', 'b', 'a', 'c', 'a', 'b', 'd', 'a', 'c', 'd']));
    await bench.consume();
    const saved: number[] = [];
    const { confirms, relay } = bench.startUnconfirmed({ batch: 2, ahead: 3 }, saved);
    await until(() => confirms.length === 3);
    confirms[1]!();
    await until(() => bench.arrived.length === 6);
    expect(relay.position()).toBe(0);
    expect([...saved, confirms.length]).toEqual([3]);
    confirms[0]!();
    await until(() => relay.position() === 4 && confirms.length === 5);
    await until(() => saved.at(-1) === 4);
    for (const confirm of confirms.slice(2)) confirm();
    await until(() => relay.position() === 10);
    await relay.stop();
    await bench.expectComplete();
    await bench.end();
  });

  test('saves its checkpoint at once, then now and then, and when it stops', async () => {
    const bench = new Bench(await logOf(['a']));
    const saved: number[] = [];
    bench.fail = (step) => {
      if (step === 'saved') saved.push(relay.position()!);
    };
    const relay = bench.start({ rest: 50 });
    await until(() => bench.timer.waits.includes(50));
    expect(saved).toEqual([1]);
    for (const position of [2, 3, 4]) {
      await append(bench.log, 'a');
      await until(() => relay.position() === position);
    }
    expect(saved).toEqual([1]);
    bench.timer.elapse();
    await until(() => saved.length === 2);
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ through: 4 });
    await append(bench.log, 'a');
    await until(() => relay.position() === 5);
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ through: 4 });
    await relay.stop();
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ through: 5 });
    await bench.end();
  });

  test('stops when what is under way is confirmed', async () => {
    const bench = new Bench(await logOf(['a', 'b', 'c']));
    const { confirms, relay } = bench.startUnconfirmed({ batch: 2, ahead: 2 });
    await until(() => confirms.length === 2);
    let isStopped = false;
    const stopping = relay.stop().then(() => (isStopped = true));
    await until(() => bench.timer.waits.includes(relayTuning.farewell));
    expect(isStopped).toBe(false);
    for (const confirm of confirms) confirm();
    await stopping;
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ through: 3 });
    await bench.end();
  });

  test('stops without a confirm that does not come in time, and saves nothing after that', async () => {
    const bench = new Bench(await logOf(['a', 'b', 'c']));
    const { confirms, relay } = bench.startUnconfirmed({ batch: 2, ahead: 1 });
    await until(() => confirms.length === 1);
    const stopping = relay.stop();
    await until(() => bench.timer.waits.includes(relayTuning.farewell));
    bench.timer.elapse();
    await stopping;
    confirms[0]!();
    await bench.end();
    expect(relay.position()).toBe(0);
    expect(bench.faults).toEqual([]);
  });

  test('waits for no consumer, however full its queue is', async () => {
    const bench = new Bench(await logOf(Array<string>(50).fill('a')));
    const narrow = openMemoryBroker({ maxBatches: 2 });
    const queue = { consumer: 'down', partition: partitionOf('a') };
    await narrow.declare(queue, ['order']);
    const { timer, log: store, readStore: checkpoints } = bench;
    const tuning = { ...relayTuning, batch: 5, linger: 0, rest: 0 };
    const relay = startRelay({ store, broker: narrow, checkpoints, timer, randomness }, tuning);
    await until(() => relay.position() === 50);
    expect(await narrow.depth(queue)).toBe(2);
    await relay.stop();
    await narrow.close();
    await bench.end();
  });

  test('says nothing of what was before its checkpoint, and tells consumers of before to look there', async () => {
    const bench = new Bench(await logOf(['a', 'b', 'a']));
    await bench.consume();
    await bench.readStore.saveRelayCheckpoint({ through: 2, anchors: [], heads: {} });
    const relay = bench.start();
    await until(() => relay.position() === 3);
    await relay.stop();
    expect(bench.batches).toMatchObject([{ previous: { since: 2, positions: {} }, through: 3 }]);
    const { heads } = await bench.readStore.relayCheckpoint();
    expect(heads[partitionOf('a')]).toMatchObject({ order: 3, payment: 2 });
    expect(heads[partitionOf('b')]).toMatchObject({ order: 2 });
    await bench.end();
  });

  test('moves its checkpoint over what other programs write, and publishes nothing for it', async () => {
    const bench = new Bench(await logOf(['a']));
    await bench.consume();
    const { log } = bench;
    const heads = { 3: { order: 1 } };
    await bench.readStore.saveRelayCheckpoint({ through: 1, anchors: [], heads });
    const subscribe: MemoryEventStore['subscribe'] = async function* (after, limit, signal) {
      yield* [{ events: [], marks: [], through: 40, isEnd: true }];
      for await (const page of log.subscribe(after, limit, signal)) if (page.events.length === 0) yield page;
    };
    const relay = bench.start({}, withSubscription(log, subscribe));
    await until(() => relay.position() === 40);
    await relay.stop();
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ through: 40, heads });
    expect(bench.batches).toEqual([]);
    await bench.end();
  });

  test('publishes nothing of a log that was restored and has grown again under the identity of the one before', async () => {
    const bench = new Bench(await logOf(Array<string>(10).fill('a')));
    await bench.consume();
    const restored = new MemoryEventStore(clock);
    for (const event of (await wholeLog(bench.log)).slice(0, 6)) await restored.append(event.stream, -1, [event]);
    let log = bench.log;
    let regrow = (): void => undefined;
    const regrown = new Promise<void>((resolve) => (regrow = resolve));
    const store: RelayDependencies['store'] = {
      // It notices nothing, as one that takes up again by itself what was cut off.
      subscribe: async function* (after, limit, signal) {
        if (log !== restored) {
          yield await log.readAll(after, limit);
          await regrown;
          yield await log.readAll(10, limit);
        } else yield* restored.subscribe(after, limit, signal);
      },
      readAll: (...asked) => log.readAll(...asked),
      recordAt: (...asked) => log.recordAt(...asked),
      head: () => log.head(),
    };
    const relay = bench.start({}, store);
    await until(() => relay.position() === 10 && bench.arrived.length === 10);
    const [{ log: before }] = bench.batches as [EventBatch];
    for (let count = 0; count < 8; count += 1) await append(restored, 'a');
    log = restored;
    regrow();
    await until(() => {
      if (bench.faults.length > 0) bench.timer.elapse();
      return bench.batches.some(({ log: of, through }) => of !== before && through === 14);
    });
    await relay.stop();
    const after = bench.batches.filter(({ events }) => events.some(({ position }) => position > 10));
    expect(after.filter(({ log: of }) => of === before)).toEqual([]);
    expect(bench.seen.filter(({ after: position }) => position === 10)).toEqual([]);
    const renewed = bench.batches.filter(({ log: of }) => of !== before).flatMap(({ events }) => events);
    expect(renewed.map(({ position }) => position)).toEqual(expect.arrayContaining([7, 8, 9, 10, 11, 12, 13, 14]));
    await restored.close();
    await bench.end();
  });

  test('tries again after a fault at any point: some come twice, none is left out', async () => {
    const steps = fc.constantFrom('publish' as const, 'published' as const, 'save' as const, 'saved' as const);
    const faults = fc.array(fc.tuple(fc.nat(12), steps), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(keys, faults, sizes, sizes, async (names, plan, batch, ahead) => {
        const bench = new Bench(await logOf(names));
        await bench.consume();
        let turn = 0;
        bench.fail = (step) => {
          turn += 1;
          if (plan.some(([at, where]) => at === turn && where === step)) throw new Unavailable('broker', 'Gone.');
        };
        const relay = bench.start({ batch, ahead });
        await until(() => {
          bench.timer.elapse();
          return relay.position() === names.length;
        });
        await relay.stop();
        await until(() => new Set(bench.arrived.map(({ position }) => position)).size === names.length);
        await bench.expectComplete({ inOrder: ahead === 1 });
        await bench.end();
      }),
      { numRuns: 50 },
    );
  });

  test('loses nothing when it dies at any point and another takes over', async () => {
    const steps = ['publish', 'published', 'save', 'saved'] as const;
    for (const step of steps) {
      for (let death = 1; death <= 4; death += 1) {
        const bench = new Bench(await logOf(['a', 'b', 'a', 'c', 'a', 'b', 'd', 'a']));
        await bench.consume();
        let turn = 0;
        let isDead = false;
        bench.fail = (at) => {
          if (isDead) throw new Unavailable('broker', 'Dead.');
          if (at === step) turn += 1;
          if (turn === death) isDead = true;
          if (isDead) throw new Unavailable('broker', 'Dying.');
        };
        const dying = bench.start({ batch: 2 });
        // Where the checkpoint is behind several batches at once, it is done before it dies.
        await until(() => isDead || dying.position() === 8);
        await dying.stop();
        bench.fail = () => undefined;
        const heir = bench.start({ batch: 3 });
        await until(() => heir.position() === 8);
        await heir.stop();
        await until(() => new Set(bench.arrived.map(({ position }) => position)).size === 8);
        await bench.expectComplete();
        await bench.end();
      }
    }
  });

  test('says what is wrong while it waits, and stops when told to', async () => {
    const bench = new Bench(await logOf(['a']));
    bench.fail = () => {
      throw new Unavailable('broker', 'Gone.');
    };
    const relay = bench.start();
    await until(() => bench.faults.length === 1);
    await relay.stop();
    expect(relay.position()).toBe(0);
    expect(bench.faults[0]).toBeInstanceOf(Unavailable);
    await bench.end();
  });
});
