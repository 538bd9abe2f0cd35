import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partition.js';
import type { Broker, Message } from '@waybill/shared-kernel/ports/broker.js';
import type { ReadStore, RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { relayTuning, startRelay, type Relay, type RelayMeans, type RelayTuning } from './relay.js';
import { vigilance } from './vigilant-log.js';

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
  readonly memory = openMemoryBroker({ capacity: 100_000 });
  readonly readStore: ReadStore = openSqliteReadStore(':memory:');
  readonly timer = manualTimer();
  readonly arrived: Message[] = [];
  readonly faults: Error[] = [];
  fail: (step: 'publish' | 'published' | 'save' | 'saved') => void = () => undefined;

  constructor(readonly log: MemoryEventStore) {}

  async consume(): Promise<void> {
    for (const queue of queues) {
      await this.memory.declare(queue, ['order']);
      await this.memory.consume(queue, 1000, (messages) => {
        this.arrived.push(...messages);
        return messages.length;
      });
    }
  }

  start(tuning: Partial<RelayTuning> = {}, store: RelayMeans['store'] = this.log): Relay {
    const publish: Broker['publish'] = async (messages) => {
      this.fail('publish');
      await this.memory.publish(messages);
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
      async (messages) => {
        const confirmed = new Promise<void>((resolve) => confirms.push(resolve));
        await this.memory.publish(messages);
        await confirmed;
      },
      async (checkpoint) => {
        saved.push(checkpoint.position);
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
    store: RelayMeans['store'] = this.log,
  ): Relay {
    const checkpoints: RelayMeans['checkpoints'] = {
      relayCheckpoint: () => this.readStore.relayCheckpoint(),
      saveRelayCheckpoint,
    };
    const report = (fault: Error): void => {
      this.faults.push(fault);
    };
    const { timer } = this;
    return startRelay(
      { store, broker: { publish }, checkpoints, timer, randomness, report },
      { ...relayTuning, linger: 0, rest: 0, backOff: { first: 50, most: 100 }, ...tuning },
    );
  }

  /**
   * Every event is there with its link and, unless something failed while more was published, the first arrival of each
   * follows the first arrival of the one before it.
   */
  async expectComplete({ inOrder = true } = {}): Promise<void> {
    const events = await this.log.readAll(0, 100_000);
    for (const { partition } of queues) {
      const mine = events.filter((event) => partitionOf(event.partitionKey) === partition);
      const arrived = this.arrived.filter((message) => message.partition === partition);
      const first = arrived.filter(
        (message, index) => arrived.findIndex((other) => other.event.position === message.event.position) === index,
      );
      if (!inOrder) first.sort((one, other) => one.event.position - other.event.position);
      expect(first.map((message) => message.event)).toEqual(mine);
      for (const message of arrived) {
        const before = mine.filter((event) => event.position < message.event.position).at(-1);
        expect(message.previous).toEqual(before === undefined ? {} : { order: before.position });
        expect(message.log).toBe(`1:${events[0]!.id}`);
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

describe('the relay', () => {
  test('carries what is in the log and what comes, and remembers how far it got', async () => {
    const bench = new Bench(await logOf(['a', 'b']));
    await bench.consume();
    const relay = bench.start();
    await until(() => relay.position() === 2);
    await append(bench.log, 'c');
    await until(() => relay.position() === 3 && bench.arrived.length === 3);
    await relay.stop();
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ position: 3 });
    await append(bench.log, 'd');
    const next = bench.start();
    await until(() => bench.arrived.length === 4);
    await next.stop();
    await bench.expectComplete();
    expect(bench.faults).toEqual([]);
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
    const relay = bench.start({}, { subscribe, readAll: log.readAll.bind(log), head: log.head.bind(log) });
    await until(() => relay.position() === 1);
    await append(log, 'b');
    await until(() => {
      if (bench.timer.waits.includes(vigilance)) bench.timer.elapse();
      return bench.faults.length > 0;
    });
    expect(bench.faults.map(({ message }) => message)).toEqual(['The subscription to the log has fallen silent.']);
    isSilent = false;
    await until(() => {
      bench.timer.elapse();
      return relay.position() === 2 && bench.arrived.length >= 2;
    });
    await relay.stop();
    await bench.expectComplete();
    await bench.end();
  });

  test('lingers after a batch that was not full, so that what comes meanwhile goes together', async () => {
    const bench = new Bench(await logOf(['a']));
    await bench.consume();
    const relay = bench.start({ linger: 10 });
    await until(() => bench.timer.waits.includes(10) && relay.position() === 1);
    let batches = 0;
    bench.fail = (step) => {
      if (step === 'publish') batches += 1;
    };
    for (const key of ['a', 'b', 'c']) await append(bench.log, key);
    bench.timer.elapse();
    await until(() => relay.position() === 4);
    expect(batches).toBe(1);
    await relay.stop();
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
    expect(saved).toEqual([4]);
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
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ position: 4 });
    await append(bench.log, 'a');
    await until(() => relay.position() === 5);
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ position: 4 });
    await relay.stop();
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ position: 5 });
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
    expect(await bench.readStore.relayCheckpoint()).toMatchObject({ position: 3 });
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

  test('waits for a queue that is full', async () => {
    const bench = new Bench(await logOf(Array<string>(50).fill('a')));
    const narrow = openMemoryBroker({ capacity: 5 });
    const queue = { consumer: 'slow', partition: partitionOf('a') };
    await narrow.declare(queue, ['order']);
    const { timer, log: store, readStore: checkpoints } = bench;
    const relay = startRelay({ store, broker: narrow, checkpoints, timer, randomness });
    await until(async () => (await narrow.depth(queue)) === 5);
    expect(relay.position()).toBe(0);
    let taken = 0;
    await narrow.consume(queue, 3, (messages) => {
      taken += messages.length;
      return messages.length;
    });
    await until(() => relay.position() === 50);
    await until(() => taken === 50);
    await relay.stop();
    await narrow.close();
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
        await until(() => new Set(bench.arrived.map(({ event }) => event.position)).size === names.length);
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
        await until(() => new Set(bench.arrived.map(({ event }) => event.position)).size === 8);
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
