import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openMemorySnapshotStore } from '@waybill/infra/snapshots/memory/snapshot-store.js';
import { openSqliteSnapshotStore } from '@waybill/infra/snapshots/sqlite/snapshot-store.js';
import { RuleViolated } from '@waybill/shared-kernel/errors.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { SnapshotStore } from '@waybill/shared-kernel/ports/snapshots.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AggregateStreams, type AggregateLog, type Loaded } from '../aggregate-streams.js';
import { delivery, type DeliveryCommand, type DeliveryState } from '../../delivery/delivery.js';
import { remembered } from '../../delivery/reports.js';
import { envelopes, type Cause } from '../envelope.js';
import { stores } from '../../testing/stores.js';
import { AggregateSnapshots } from './aggregate-snapshots.js';
import { writeSnapshot } from './snapshot.js';

const clock = virtualClock('2026-01-01T10:00:00Z');
const deliveryId = 'd1';
const stream = 'delivery-d1';
const every = 10;
const version = delivery.stateVersion ?? 0;

const minutes = (count: number): string => new Date(Date.UTC(2026, 0, 1) + count * 60_000).toISOString();
const on = { deliveryId };
const schedule: DeliveryCommand = {
  type: 'ScheduleDelivery',
  delivery: { deliveryId, orderId: 'o1', customerId: 'ann', address: 'sealed.1.ann.YWRkcmVzcw', promisedBy: null },
};
const assign: DeliveryCommand = { type: 'AssignDelivery', ...on, courierId: 'k1' };
const report = (at: number): DeliveryCommand => ({
  type: 'ReportPosition',
  ...on,
  latitude: 35,
  longitude: 129,
  at: minutes(at),
});

/** A process: nothing is remembered but what the stores hold. */
class Process {
  readonly said: string[] = [];
  readonly timer = manualTimer();
  readonly snapshots: AggregateSnapshots;
  readonly streams: AggregateStreams<DeliveryCommand, DeliveryState, Parameters<typeof delivery.evolve>[1]>;
  /** Events read from the log. */
  read = 0;

  constructor(log: EventStore, snapshots: SnapshotStore, each = every) {
    const { timer } = this;
    const dependencies = {
      store: snapshots,
      timer,
      clock,
      report: ({ message }: Error) => void this.said.push(message),
    };
    this.snapshots = new AggregateSnapshots(dependencies, { every: each });
    const store: AggregateLog = {
      append: (to, revision, events) => log.append(to, revision, events),
      readStream: async (of, from, limit) => {
        const page = await log.readStream(of, from, limit);
        this.read += page.length;
        return page;
      },
      cutOf: (of) => log.cutOf(of),
    };
    this.streams = new AggregateStreams(store, 'delivery', delivery, { snapshots: this.snapshots });
  }

  /** Decides and appends, as a request of this number. What the rules forbid is done by nobody. */
  async ask(command: DeliveryCommand, number: number): Promise<void> {
    const loaded = await this.streams.load(deliveryId);
    const events = decided(command, loaded.state);
    if (events.length > 0)
      await this.streams.append(deliveryId, loaded, envelopes(events, 'o1', causeOf(number), systemRandomness));
  }
}

function decided(command: DeliveryCommand, state: DeliveryState): ReturnType<typeof delivery.decide> {
  try {
    return delivery.decide(command, state);
  } catch (error) {
    if (error instanceof RuleViolated) return [];
    throw error;
  }
}

const requestOf = (number: number): string => uuidV5(`request ${number}`, '3d3c1b52-6a0f-4d0c-9a55-1f3f0d1a7c11');

function causeOf(number: number): Cause {
  const id = requestOf(number);
  const request = { id, hash: `hash ${number}`, subject: 'ann' };
  return { id, occurredAt: minutes(number), correlationId: id, traceparent: undefined, actor: undefined, request };
}

const essence = ({ state, revision, position, requests }: Loaded<DeliveryState>): unknown => ({
  state,
  revision,
  position,
  requests: requests.upTo(Infinity),
});

/** As the whole stream says. */
async function folded(log: EventStore): Promise<unknown> {
  return essence(await new AggregateStreams(log, 'delivery', delivery).load(deliveryId));
}

/** What may have happened to a snapshot while nobody looked. None of the wrong ones has a state of this delivery. */
const mishaps = {
  none: async () => {},
  dropped: (snapshots) => snapshots.remove(stream),
  'cut short': async (snapshots) => {
    const stored = await snapshots.load(stream);
    if (stored === undefined) return;
    await snapshots.remove(stream);
    await snapshots.save(stream, { ...stored, text: stored.text.slice(0, -1) });
  },
  'another version': async (snapshots) => {
    await snapshots.save(stream, writeSnapshot(stream, version + 1, { ...bogus, revision: 1 }));
  },
  'ahead of the stream': async (snapshots) => {
    await snapshots.save(stream, writeSnapshot(stream, version, { ...bogus, revision: 1_000_000 }));
  },
  'another history': async (snapshots) => {
    await snapshots.remove(stream);
    await snapshots.save(stream, writeSnapshot(stream, version, { ...bogus, revision: 0 }));
  },
} satisfies Record<string, (snapshots: SnapshotStore) => Promise<void>>;

const bogus = { eventId: requestOf(0), state: { status: 'cancelled' }, requests: [] };

describe.each(stores)('aggregates from snapshots, log in %s', (name, open) => {
  let dispose: (() => Promise<void>) | undefined;
  afterEach(() => dispose?.());

  async function openBoth(): Promise<{ log: EventStore; snapshots: SnapshotStore }> {
    const opened = await open(clock);
    const folder = await mkdtemp(join(tmpdir(), 'waybill-loading-'));
    const snapshots =
      name === 'memory' ? openMemorySnapshotStore() : openSqliteSnapshotStore(join(folder, 'snapshots.sqlite'));
    dispose = async () => {
      await snapshots.close();
      await opened.dispose();
      await rm(folder, { recursive: true });
    };
    return { log: opened.store, snapshots };
  }

  async function reported(writer: Process, reports: number): Promise<void> {
    await writer.ask(schedule, 1);
    await writer.ask(assign, 2);
    for (let at = 0; at < reports; at += 1) await writer.ask(report(at), 3 + at);
    await writer.snapshots.settled();
  }

  test('only what came after the snapshot is read, and the event that bears it out', async () => {
    const { log, snapshots } = await openBoth();
    const writer = new Process(log, snapshots);
    await reported(writer, 142);
    const reader = new Process(log, snapshots);
    const loaded = await reader.streams.load(deliveryId);
    expect(essence(loaded)).toEqual(await folded(log));
    // 144 events; the last snapshot is of the 140th.
    expect([loaded.revision, loaded.snapshotAt, reader.read]).toEqual([143, 139, 5]);
    expect([...writer.said, ...reader.said]).toEqual([]);
  });

  test.each(Object.entries(mishaps))('the log has the last word on a snapshot: %s', async (mishap, happens) => {
    const { log, snapshots } = await openBoth();
    await reported(new Process(log, snapshots), 23);
    await happens(snapshots);
    const process = new Process(log, snapshots);
    expect(essence(await process.streams.load(deliveryId))).toEqual(await folded(log));
    expect(process.said).toHaveLength(mishap === 'none' || mishap === 'dropped' ? 0 : 1);
    await process.snapshots.settled();

    // The next append mends it.
    await process.ask(report(1_000), 1_000);
    await process.snapshots.settled();
    const next = new Process(log, snapshots);
    expect(essence(await next.streams.load(deliveryId))).toEqual(await folded(log));
    expect([next.read, next.said]).toEqual([mishap === 'none' ? 7 : 1, []]);
  });

  test('requests from before the snapshot are known as they were recorded, and the state they led to', async () => {
    const { log, snapshots } = await openBoth();
    await reported(new Process(log, snapshots), 40);
    const { streams } = new Process(log, snapshots);
    const loaded = await streams.load(deliveryId);
    const [, assigned] = await log.readStream(stream, 0, 2);
    expect(await streams.recorded(deliveryId, loaded, requestOf(2))).toEqual({
      mark: causeOf(2).request,
      revision: 1,
      position: assigned!.position,
    });
    expect(await streams.stateAt(deliveryId, 1)).toMatchObject({ status: 'assigned', reports: { times: [] } });
    expect(await streams.stateAt(deliveryId, 41)).toEqual(loaded.state);
    expect(await streams.recorded(deliveryId, loaded, requestOf(99))).toBeUndefined();
  });

  test('a store of snapshots that hangs holds up no append, and loading no longer than agreed', async () => {
    const { log } = await openBoth();
    const never = (): Promise<never> => new Promise(() => {});
    const process = new Process(log, { load: never, save: never, remove: never, close: async () => {} }, 1);
    const first = process.ask(schedule, 1);
    await until(() => process.timer.waits.length > 0);
    process.timer.elapse();
    await first;
    for (let number = 2; number < 20; number += 1) await process.ask(report(number), number);
    await process.ask(assign, 20);
    expect(essence(await process.streams.load(deliveryId))).toEqual(await folded(log));
    clock.advance(60_000);
    process.timer.elapse();
  });
});

test('whatever is asked, and whatever happens to the snapshots, the state is that of the whole stream', async () => {
  const command = fc.oneof(
    { weight: 12, arbitrary: fc.nat(4 * remembered).map(report) },
    fc.constantFrom<DeliveryCommand>(
      assign,
      { type: 'ReleaseDelivery', ...on },
      { type: 'RecordPickUp', ...on, courierId: 'k1' },
      { type: 'FailDelivery', ...on, reason: 'nobody there', next: 'retry' },
    ),
  );
  const step = fc.record({
    commands: fc.array(command, { maxLength: 40 }),
    mishap: fc.constantFrom(...Object.values(mishaps)),
    /** An earlier snapshot that was right once comes back. */
    old: fc.boolean(),
    restarts: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 12 }),
      async (steps, each) => {
        const log = new MemoryEventStore(clock);
        const snapshots = openMemorySnapshotStore();
        let process = new Process(log, snapshots, each);
        let number = 0;
        await process.ask(schedule, 0);
        await process.ask(assign, 0);
        for (const { commands, mishap, old, restarts } of steps) {
          const earlier = await snapshots.load(stream);
          for (const one of commands) await process.ask(one, (number += 1));
          await process.snapshots.settled();
          if (old && earlier !== undefined) {
            await snapshots.remove(stream);
            await snapshots.save(stream, earlier);
          }
          await mishap(snapshots);
          if (restarts) process = new Process(log, snapshots, each);
          const another = new Process(log, snapshots, each);
          const whole = await folded(log);
          expect(essence(await another.streams.load(deliveryId))).toEqual(whole);
          expect(essence(await process.streams.load(deliveryId))).toEqual(whole);
          await another.snapshots.settled();
        }
        await process.snapshots.settled();
      },
    ),
    { numRuns: runs(20, 200) },
  );
});
