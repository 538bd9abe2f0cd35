import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { EventBatch } from '@waybill/shared-kernel/ports/broker.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { at } from '@waybill/shared-kernel/testing/at.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { CheckpointSaver } from './checkpoint-saver.js';
import { relayTuning, startRelay, type Relay, type RelayTuning } from './relay.js';

/** By which every wait is as long as it may be. */
const longest: Randomness = { ...seededRandomness('relay'), bytes: (count) => new Uint8Array(count).fill(0xff) };

/** A relay whose stores and broker fail when a test says so. */
class Bench {
  readonly log = new MemoryEventStore(virtualClock('2026-03-01T12:00:00Z'));
  readonly readStore = openSqliteReadStore(':memory:');
  readonly timer = manualTimer();
  readonly down = new Set<'broker' | 'read store'>();
  readonly faults: Error[] = [];
  readonly published: EventBatch[] = [];
  /** Positions of the checkpoints that were saved. */
  readonly saved: number[] = [];
  /** Whether reading the log shows nothing, though its subscription does. */
  isBlind = false;
  relay: Relay | undefined;

  start(tuning: Partial<RelayTuning> = {}): void {
    const { log, readStore, timer } = this;
    this.relay = startRelay(
      {
        store: {
          subscribe: (...asked) => log.subscribe(...asked),
          readAll: async (after, limit) =>
            this.isBlind ? { events: [], marks: [], through: after, isEnd: true } : log.readAll(after, limit),
          recordAt: (position) => log.recordAt(position),
          head: () => log.head(),
        },
        broker: {
          publish: async (batches) => {
            if (this.down.has('broker')) throw new Unavailable('broker', 'Gone.');
            this.published.push(...batches);
          },
        },
        checkpoints: {
          relayCheckpoint: () => readStore.relayCheckpoint(),
          saveRelayCheckpoint: async (checkpoint) => {
            if (this.down.has('read store')) throw new Unavailable('read store', 'Gone.');
            await readStore.saveRelayCheckpoint(checkpoint);
            this.saved.push(checkpoint.through);
          },
          resetRelayCheckpoint: (...asked) => readStore.resetRelayCheckpoint(...asked),
          madeFrom: () => readStore.madeFrom(),
          noteMadeFrom: (...asked) => readStore.noteMadeFrom(...asked),
        },
        timer,
        randomness: longest,
        report: (fault) => this.faults.push(fault),
      },
      { ...relayTuning, linger: 0, rest: 0, backOff: { first: 50, most: 10_000 }, ...tuning },
    );
  }

  async append(): Promise<void> {
    await this.log.append(freshStream(), -1, [newEvent()]);
  }

  /** How long those wait who wait after its next fault. */
  async nextWaits(): Promise<readonly number[]> {
    const { length } = this.faults;
    await until(() => this.faults.length > length);
    await until(() => this.timer.waits.length > 0);
    return this.timer.waits;
  }

  async end(): Promise<void> {
    await this.relay?.stop();
    await this.readStore.close();
    await this.log.close();
  }
}

describe('a relay that tries again', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.end());

  test('waits longer each time until it has saved its checkpoint, and then as short as at first', async () => {
    const { down, timer } = bench;
    down.add('broker');
    bench.start();
    await bench.append();
    expect(await bench.nextWaits()).toEqual([50]);
    timer.elapse();
    expect(await bench.nextWaits()).toEqual([100]);
    // What is published and not saved is no end of it.
    down.delete('broker');
    down.add('read store');
    timer.elapse();
    expect(await bench.nextWaits()).toEqual([200]);
    timer.elapse();
    expect(await bench.nextWaits()).toEqual([400]);
    down.clear();
    timer.elapse();
    await until(() => bench.saved.length === 1);
    down.add('broker');
    await bench.append();
    expect(await bench.nextWaits()).toEqual([50]);
    timer.elapse();
    expect(await bench.nextWaits()).toEqual([100]);
  });

  test('saves nothing any more of what it had reached before', async () => {
    const { down, timer, saved } = bench;
    bench.start({ rest: 70 });
    await bench.append();
    await until(() => timer.waits.includes(70));
    await bench.append();
    await until(() => bench.relay?.position() === 2);
    down.add('broker');
    await bench.append();
    expect(await bench.nextWaits()).toEqual([50]);
    expect(saved).toEqual([1]);
    down.clear();
    timer.elapse();
    await until(() => saved.length === 2);
    expect(saved).toEqual([1, 3]);
  });

  test('publishes nothing under no name, of a log that does not show its first event yet', async () => {
    bench.isBlind = true;
    bench.start();
    await bench.append();
    await until(() => bench.faults.length + bench.published.length > 0);
    expect(bench.published).toEqual([]);
    expect(bench.faults).toEqual([new Unavailable('event store', 'The log does not show its first event yet.')]);
    bench.isBlind = false;
    await until(() => bench.timer.waits.length > 0);
    bench.timer.elapse();
    await until(() => bench.published.length > 0);
    const [first] = (await bench.log.readAll(0, 1)).events;
    expect(bench.published).toMatchObject([{ log: `1:${first!.id}`, through: 1 }]);
  });
});

describe('a checkpoint', () => {
  function saver() {
    const timer = manualTimer();
    const saved: number[] = [];
    const failed = (reason: unknown): never => {
      throw reason;
    };
    const save = async ({ through }: { readonly through: number }): Promise<void> => void saved.push(through);
    return { timer, saved, saver: new CheckpointSaver({ timer, save, failed }, 50) };
  }

  const steps: readonly (readonly [string, readonly boolean[], number])[] = [
    ['an event of ours', [true], 50],
    ['records of other programs', [false], 1000],
    ['an event of ours, and then records of other programs', [true, false], 50],
    ['records of other programs, and then an event of ours', [false, true], 50],
  ];

  test.each(steps)('that was moved by %s rests as long as that', async (_, moves, restMs) => {
    const { timer, saved, saver: saving } = saver();
    saving.reach(at(1), true);
    await turns();
    expect([saved, timer.waits]).toEqual([[1], [50]]);
    for (const [index, hasEvents] of moves.entries()) saving.reach(at(index + 2), hasEvents);
    timer.elapse();
    await turns();
    expect([saved, timer.waits]).toEqual([[1, moves.length + 1], [restMs]]);
    saving.abandon();
  });

  test('is saved at once after a quiet time, however long it rested before', async () => {
    const { timer, saved, saver: saving } = saver();
    saving.reach(at(1), false);
    await turns();
    expect(timer.waits).toEqual([1000]);
    timer.elapse();
    await turns();
    expect(timer.waits).toEqual([]);
    saving.reach(at(2), true);
    await turns();
    expect([saved, timer.waits]).toEqual([[1, 2], [50]]);
    await saving.finish();
  });

  test('is saved by nobody else while it rests, and no more once it is abandoned', async () => {
    const { timer, saved, saver: saving } = saver();
    for (const through of [1, 2, 3]) saving.reach(at(through), true);
    await turns();
    expect([saved, timer.waits]).toEqual([[1], [50]]);
    saving.abandon();
    await turns();
    expect(saved).toEqual([1]);
  });
});
