import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openMemoryLeaseStore, type MemoryLeases } from '@waybill/infra/lease/memory/lease-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { leasedLeadership } from '@waybill/shared-kernel/leased-assignment.js';
import { linkChain, type Linked } from '@waybill/shared-kernel/link-chain.js';
import { identityOf } from '@waybill/shared-kernel/log-identity.js';
import type { Message } from '@waybill/shared-kernel/ports/broker.js';
import type { RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { SimulatedTime } from '@waybill/shared-kernel/testing/simulated-time.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { leadRelay, type LeadRelay } from './lead-relay.js';
import { relayTuning, startRelay, type Relay, type RelayMeans } from './relay.js';

const tuning = { ...relayTuning, batch: 4, linger: 0, rest: 0 };
const nothingRelayed: RelayCheckpoint = { position: 0, heads: {} };

/** A log, what was published of it, and where its relays stand. */
class Bench {
  readonly log = new MemoryEventStore(virtualClock('2026-03-01T12:00:00Z'));
  readonly readStore = openSqliteReadStore(':memory:');
  readonly published: Message[] = [];

  async append(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const event = newEvent();
      await this.log.append(`order-${event.id}`, -1, [event]);
    }
  }

  means(): RelayMeans {
    return {
      store: this.log,
      broker: { publish: async (messages) => void this.published.push(...messages) },
      checkpoints: this.readStore,
      timer: manualTimer(),
      randomness: seededRandomness('relay'),
    };
  }

  /** What one relay, alone and at leisure, would have published, and where it would stand. */
  async straight(): Promise<Linked> {
    return linkChain(await this.log.readAll(0, 10_000), nothingRelayed, (await identityOf(this.log))!);
  }

  /** Every message that one relay would have published came, in its order but for copies, and nothing else. */
  async expectComplete(): Promise<void> {
    const { messages, reached } = await this.straight();
    const first = new Map<number, Message>();
    for (const message of this.published) {
      expect(message).toEqual(messages[message.event.position - 1]);
      if (!first.has(message.event.position)) first.set(message.event.position, message);
    }
    expect([...first.values()]).toEqual(messages);
    expect(await this.readStore.relayCheckpoint()).toEqual(reached);
  }

  async end(): Promise<void> {
    await this.readStore.close();
    await this.log.close();
  }
}

describe('two relays at once, one of them deposed and late', () => {
  test('publish copies of the same messages, and the checkpoint only rises', async () => {
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
            const means = bench.means();
            let publishing = Promise.resolve();
            return startRelay(
              {
                ...means,
                broker: {
                  publish: (messages) => {
                    // A broker keeps the order of one publisher.
                    publishing = publishing.then(delay).then(() => means.broker.publish(messages));
                    return publishing;
                  },
                },
                checkpoints: {
                  relayCheckpoint: () => delay().then(() => means.checkpoints.relayCheckpoint()),
                  saveRelayCheckpoint: async (checkpoint) => {
                    await delay();
                    await means.checkpoints.saveRelayCheckpoint(checkpoint);
                    seen.push((await means.checkpoints.relayCheckpoint()).position);
                  },
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
      { numRuns: 100 },
    );
  });
});

describe('relays of which one leads', () => {
  function start(bench: Bench, time: SimulatedTime, leases: MemoryLeases, number: number) {
    const { clock, timer, stall } = time.process(number * 1_000_000);
    const randomness = seededRandomness(`relay ${number}`);
    const assign = leasedLeadership({ leases: openMemoryLeaseStore(leases, clock), clock, timer, randomness });
    return { relay: leadRelay({ ...bench.means(), assign }, tuning), kill: stall };
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
    expect(bench.published).toHaveLength(7);
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
});
