import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openMemoryLeaseStore, type MemoryLeases } from '@waybill/infra/lease/memory/lease-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { leasedLeadership } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { followBatches } from '@waybill/shared-kernel/subscriptions/event-batches.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventBatch } from '@waybill/shared-kernel/ports/broker.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { SimulatedTime } from '@waybill/shared-kernel/testing/simulated-time.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { leadRelay, type LeadRelay } from './lead-relay.js';
import { relayTuning, startRelay, type Relay, type RelayDependencies } from './relay.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

const tuning = { ...relayTuning, batch: 4, linger: 0, rest: 0 };

/** A log, what was published of it, and where its relays stand. */
class Bench {
  readonly log = new MemoryEventStore(virtualClock('2026-03-01T12:00:00Z'));
  readonly readStore = openSqliteReadStore(':memory:');
  readonly published: EventBatch[] = [];

  async append(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const event = newEvent();
      await this.log.append(`order-${event.id}`, -1, [event]);
    }
  }

  dependencies(): RelayDependencies {
    return {
      store: this.log,
      broker: { publish: async (batches) => void this.published.push(...batches) },
      checkpoints: this.readStore,
      timer: manualTimer(),
      randomness: seededRandomness('relay'),
    };
  }

  /** Whoever follows what was published misses nothing, and the checkpoint is at the end of the log. */
  async expectComplete(): Promise<void> {
    const events = await wholeLog(this.log);
    for (let partition = 0; partition < partitionCount; partition += 1) {
      const ofPartition = this.published.filter((batch) => batch.partition === partition);
      const own = events.filter(({ partitionKey }) => partitionOf(partitionKey) === partition);
      const applied: RecordedEvent[] = [];
      for (let position = 0, missing: number | undefined = 0; missing !== undefined;) {
        const followed = followBatches(position, new Set(['order']), ofPartition);
        applied.push(...followed.events);
        ({ missing } = followed);
        // One that began later says nothing of what was before: that is read from the log.
        const { through } = followed;
        applied.push(...own.filter((event) => event.position > through && event.position <= (missing ?? 0)));
        position = missing ?? through;
      }
      expect(applied).toEqual(own);
    }
    expect(await this.readStore.relayCheckpoint()).toMatchObject({ through: await this.log.head() });
  }

  async end(): Promise<void> {
    await this.readStore.close();
    await this.log.close();
  }
}

describe('two relays at once, one of them deposed and late', () => {
  test('publish everything, in batches that a consumer can follow, and the checkpoint only rises', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.oneof(fc.constant(0), fc.nat(40)), { minLength: 1, maxLength: 20 }),
        async (growth, delays) => {
          const bench = new Bench();
          const seen: number[] = [];
          let steps = 0;
          const delay = (): Promise<void> => turns(delays[steps++ % delays.length]);
          /** A relay whose every step takes as long as chance has it. */
          const start = (): Relay => {
            const dependencies = bench.dependencies();
            let publishing = Promise.resolve();
            return startRelay(
              {
                ...dependencies,
                broker: {
                  publish: (batches) => {
                    // A broker keeps the order of one publisher.
                    publishing = publishing.then(delay).then(() => dependencies.broker.publish(batches));
                    return publishing;
                  },
                },
                checkpoints: {
                  relayCheckpoint: () => delay().then(() => dependencies.checkpoints.relayCheckpoint()),
                  saveRelayCheckpoint: async (checkpoint) => {
                    await delay();
                    await dependencies.checkpoints.saveRelayCheckpoint(checkpoint);
                    seen.push((await dependencies.checkpoints.relayCheckpoint()).through);
                  },
                  resetRelayCheckpoint: (...asked) => dependencies.checkpoints.resetRelayCheckpoint(...asked),
                  madeFrom: () => dependencies.checkpoints.madeFrom(),
                  noteMadeFrom: (...asked) => dependencies.checkpoints.noteMadeFrom(...asked),
                },
              },
              tuning,
            );
          };
          const relays = [start(), start()];
          for (const count of growth) {
            await bench.append(count);
            const head = await bench.log.head();
            await until(() => relays.some((relay) => relay.position() === head));
          }
          await Promise.all(relays.map((relay) => relay.stop()));
          expect(seen).toEqual([...seen].sort((left, right) => left - right));
          await bench.expectComplete();
          await bench.end();
        },
      ),
      { numRuns: runs(30, 300) },
    );
  });
});

describe('relays of which one leads', () => {
  function start(
    bench: Bench,
    time: SimulatedTime,
    leases: MemoryLeases,
    number: number,
    other: Partial<Pick<RelayDependencies, 'store' | 'broker'>> = {},
  ) {
    const { clock, timer, stall } = time.process(number * 1_000_000);
    const randomness = seededRandomness(`relay ${number}`);
    const assign = leasedLeadership({ leases: openMemoryLeaseStore(leases, clock), clock, timer, randomness });
    return { relay: leadRelay({ ...bench.dependencies(), timer, ...other, assign }, tuning), kill: stall };
  }

  const follows = async (bench: Bench, relay: LeadRelay): Promise<void> => {
    const head = await bench.log.head();
    await until(() => relay.position() === head);
  };

  test('the first relays, and the other goes on where it stopped', async () => {
    const bench = new Bench();
    const time = new SimulatedTime();
    const leases: MemoryLeases = new Map();
    await bench.append(3);
    const first = start(bench, time, leases, 1);
    await time.pass(1_000);
    await follows(bench, first.relay);
    const second = start(bench, time, leases, 2);
    await time.pass(5_000);
    expect([first.relay.leads(), second.relay.leads()]).toEqual([true, false]);
    expect(second.relay.position()).toBeUndefined();
    await bench.append(2);
    await follows(bench, first.relay);
    await Promise.all([first.relay.stop(), time.pass(1_000)]);
    expect([first.relay.leads(), second.relay.leads()]).toEqual([false, true]);
    expect(first.relay.position()).toBeUndefined();
    await bench.append(2);
    await follows(bench, second.relay);
    expect(bench.published.flatMap(({ events }) => events)).toHaveLength(7);
    await second.relay.stop();
    await bench.expectComplete();
    await bench.end();
  });

  test('one that is gone without a word is replaced within five seconds, and does no harm when it comes back', async () => {
    const bench = new Bench();
    const time = new SimulatedTime();
    const leases: MemoryLeases = new Map();
    const first = start(bench, time, leases, 1);
    await time.pass(1_000);
    const second = start(bench, time, leases, 2);
    await time.pass(1_000);
    first.kill();
    await time.pass(5_000);
    expect(second.relay.leads()).toBe(true);
    // Its lease is gone, and it does not know.
    expect(first.relay.leads()).toBe(true);
    await bench.append(5);
    await Promise.all([follows(bench, first.relay), follows(bench, second.relay)]);
    await Promise.all([first.relay.stop(), second.relay.stop()]);
    await bench.expectComplete();
    await bench.end();
  });

  const gone = (): Promise<never> => Promise.reject(new Unavailable('broker', 'It refuses.'));
  const silent = (): Promise<never> => new Promise(() => {});
  const unreachable: readonly [string, (bench: Bench) => Partial<Pick<RelayDependencies, 'store' | 'broker'>>][] = [
    ['a broker that refuses', () => ({ broker: { publish: gone } })],
    ['a broker that does not answer', () => ({ broker: { publish: silent } })],
    [
      'a log that does not answer',
      ({ log }) => ({
        store: { head: silent, readAll: silent, recordAt: silent, subscribe: (...asked) => log.subscribe(...asked) },
      }),
    ],
  ];

  test.each(unreachable)('one that meets %s leaves the lead to the other within ten seconds', async (_, meets) => {
    const bench = new Bench();
    const time = new SimulatedTime();
    const leases: MemoryLeases = new Map();
    const first = start(bench, time, leases, 1, meets(bench));
    await time.pass(1_000);
    const second = start(bench, time, leases, 2);
    await time.pass(2_000);
    expect([first.relay.leads(), second.relay.leads()]).toEqual([true, false]);
    await bench.append(3);
    await time.pass(10_000);
    expect([first.relay.leads(), second.relay.leads()]).toEqual([false, true]);
    await follows(bench, second.relay);
    await time.pass(1_000);
    await Promise.all([second.relay.stop(), time.pass(5_000)]);
    await bench.expectComplete();
    first.kill();
    await bench.end();
  });

  test('one that could not publish leads on while there is nothing to relay', async () => {
    const bench = new Bench();
    const time = new SimulatedTime();
    const leases: MemoryLeases = new Map();
    const first = start(bench, time, leases, 1, { broker: { publish: gone } });
    await time.pass(1_000);
    const second = start(bench, time, leases, 2);
    await time.pass(60_000);
    expect([first.relay.leads(), second.relay.leads()]).toEqual([true, false]);
    await Promise.all([first.relay.stop(), second.relay.stop(), time.pass(5_000)]);
    await bench.end();
  });
});
