import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { worklistNote } from '@waybill/command-side/fulfilment/worklist/testing/worklist-note.js';
import { openStates } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import { WorklistWriter } from '@waybill/command-side/fulfilment/worklist/worklist-writer.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { CollectionSpec, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { measureFulfilment, measureSuspended } from '@waybill/command-side/fulfilment/measure-fulfilment.js';
import { measureRelay } from '@waybill/command-side/relay/measure-relay.js';
import { tellFigures } from '@waybill/infra/telemetry/progress-metrics.js';
import { measureReadModels, type ReadModel } from '@waybill/projections/projecting/measure-read-models.js';
import type { Figure, Measure } from '@waybill/shared-kernel/subscriptions/progress-figures.js';
import { after, logBeginning } from '@waybill/shared-kernel/subscriptions/log-position.js';

const collection: CollectionSpec = {
  name: 'orders',
  version: 1,
  fields: { placed: 'text' },
  multiple: [],
  order: 'placed',
  indexes: [],
};
const projection: ReadModel = { collection, categories: ['order'] };

describe('figures of progress', () => {
  const clock = virtualClock('2026-01-01T10:00:00Z');
  let log: MemoryEventStore;
  let readStore: ReadStore;

  beforeEach(async () => {
    log = new MemoryEventStore(clock);
    readStore = openSqliteReadStore(':memory:');
    await readStore.declare(collection);
  });
  afterEach(() => readStore.close());

  const all = async (): Promise<readonly Figure[]> => {
    const stores = { store: log, readStore, clock };
    const measures = [
      measureRelay(stores),
      measureReadModels(() => Promise.resolve([projection]), stores),
      measureSuspended(stores),
    ];
    return (await Promise.all(measures.map((measure) => measure()))).flat();
  };

  const order = (id: string) => ({ ...newEvent(), partitionKey: id });

  test('say how many events each is behind, for how long, and what is in quarantine', async () => {
    await log.append('order-o1', -1, [order('o1')]);
    clock.advance(3_000);
    await log.append('product-p1', -1, [{ ...newEvent(), partitionKey: 'p1' }]);
    clock.advance(2_000);
    const degraded = {
      since: '2026-01-01T10:00:00.000Z',
      triedAt: '2026-01-01T10:00:00.000Z',
      error: 'no',
      event: { id: 'e', stream: 'order-o0', revision: 0, position: 1, type: 'OrderPlaced' },
      seen: {},
    };
    const write = {
      key: 'o0',
      expected: undefined,
      revisions: {},
      sections: {},
      projectedAt: degraded.since,
      fields: { single: { placed: null }, multiple: {} },
      degraded,
    };
    const stuck = { partition: partitionOf('o0'), writes: [write], position: logBeginning };
    await readStore.commit({ collection, ...stuck });
    const quarantined = [
      { name: 'waybill_quarantined_documents', projection: 'orders', value: 1 },
      { name: 'waybill_quarantined_documents', projection: 'fulfilment', value: 0 },
    ];
    const behind = await all();
    expect(behind).toEqual(
      expect.arrayContaining([
        { name: 'waybill_relay_lag_events', value: 2 },
        { name: 'waybill_relay_lag_seconds', value: 5 },
        { name: 'waybill_projection_lag_events', projection: 'orders', value: 1 },
        { name: 'waybill_projection_lag_seconds', projection: 'orders', value: 5 },
        ...quarantined,
      ]),
    );
    expect(behind).toHaveLength(6);
    const events = (await log.readAll(0, 10)).events;
    await readStore.saveRelayCheckpoint({ through: await log.head(), anchors: [], heads: {} });
    await readStore.commit({ collection, partition: partitionOf('o1'), writes: [], position: after(events[0]!) });
    expect((await all()).filter(({ value }) => value > 0)).toEqual(quarantined.slice(0, 1));
  });

  test('count from the beginning what is of another log, or of a later state of it', async () => {
    await log.append('order-o1', -1, [order('o1'), order('o1')]);
    const position = { through: 50, anchors: [[50, 'lost']] } as const;
    await readStore.saveRelayCheckpoint({ ...position, heads: {} });
    await readStore.commit({ collection, partition: partitionOf('o1'), writes: [], position });
    clock.advance(5_000);
    expect(await all()).toEqual(
      expect.arrayContaining([
        { name: 'waybill_relay_lag_events', value: 2 },
        { name: 'waybill_relay_lag_seconds', value: 5 },
        { name: 'waybill_projection_lag_events', projection: 'orders', value: 2 },
        { name: 'waybill_projection_lag_seconds', projection: 'orders', value: 5 },
      ]),
    );
  });

  test('say how many orders are at what, and how many of those are overdue, none too', async () => {
    const writer = new WorklistWriter({ readStore, clock });
    const since = new Date(clock.now()).toISOString();
    const dueAt = new Date(clock.now() + 60_000).toISOString();
    const waiting = { state: 'delivering', deadline: 'courier', dueAt, since } as const;
    for (const orderId of ['o1', 'o2']) {
      writer.note(worklistNote(orderId, 0, waiting));
      await writer.flush(partitionOf(orderId));
    }
    const measure = measureFulfilment({ readStore, clock });
    const figures = (overdue: number): readonly Figure[] =>
      openStates.flatMap((state) => [
        { name: 'waybill_fulfilment_orders', state, value: state === 'delivering' ? 2 : 0 },
        { name: 'waybill_fulfilment_overdue_orders', state, value: state === 'delivering' ? overdue : 0 },
      ]);
    expect(await measure()).toEqual(figures(0));
    clock.advance(60_000 + 29_999);
    expect(await measure()).toEqual(figures(0));
    clock.advance(1);
    expect(await measure()).toEqual(figures(2));
    const lists: number[] = [];
    const watched: Parameters<typeof measureFulfilment>[0]['readStore'] = {
      declare: (collection) => readStore.declare(collection),
      groups: (...asked) => readStore.groups(...asked),
      list: (...asked) => {
        lists.push(asked[1].limit);
        return readStore.list(...asked);
      },
    };
    await measureFulfilment({ readStore: watched, clock })();
    // What nobody is at costs no question.
    expect(lists).toHaveLength(1);
  });

  test('do not cost more the further something is behind, and count so many at most', async () => {
    const many = Array.from({ length: 30_000 }, () => ({ ...newEvent(), partitionKey: 'p1' }));
    await log.append('product-p1', -1, many);
    await log.append('order-o1', -1, [order('o1')]);
    const readAll = log.readAll.bind(log);
    let read = 0;
    log.readAll = async (...asked) => {
      const page = await readAll(...asked);
      read += page.events.length;
      return page;
    };
    const figures = await all();
    expect(figures).toContainEqual({ name: 'waybill_relay_lag_events', value: 10_000 });
    expect(figures.map(({ name }) => name)).not.toContain('waybill_projection_lag_events');
    expect(read).toBe(20_000);
  });
});

describe('gauges', () => {
  let registry: Registry;
  let now: number;
  const timer = manualTimer();
  const relay = (value: number): Figure => ({ name: 'waybill_relay_lag_events', value });
  const orders: Figure = { name: 'waybill_quarantined_documents', projection: 'orders', value: 2 };

  beforeEach(() => {
    registry = new Registry();
    now = 0;
  });

  async function told(): Promise<readonly string[]> {
    const scraped = registry.metrics();
    await turns();
    timer.elapse();
    return (await scraped).split('\n').filter((line) => line.startsWith('waybill_'));
  }
  const tell = (...measures: readonly Measure[]): void => tellFigures(registry, measures, timer, { now: () => now });

  test('are measured when they are asked for, once in two seconds', async () => {
    let measured = 0;
    tell(async () => [relay((measured += 1)), orders]);
    expect(measured).toBe(0);
    const first = ['waybill_relay_lag_events 1', 'waybill_quarantined_documents{projection="orders"} 2'];
    expect(await told()).toEqual(first);
    now = 1_999;
    expect(await told()).toEqual(first);
    now = 2_000;
    expect(await told()).toContain('waybill_relay_lag_events 2');
    expect(timer.waits).toEqual([]);
  });

  test('have the label of their metric', async () => {
    tell(async () => [{ name: 'waybill_fulfilment_orders', state: 'delivering', value: 3 }]);
    expect(await told()).toEqual(['waybill_fulfilment_orders{state="delivering"} 3']);
  });

  test('what cannot be had is left out, and all else is told', async () => {
    let isDown = false;
    const failing: Measure = async () => {
      if (isDown) throw new Unavailable('read store', 'Gone.');
      return [relay(7)];
    };
    tell(failing, async () => [orders]);
    expect(await told()).toContain('waybill_relay_lag_events 7');
    isDown = true;
    now = 5_000;
    expect(await told()).toEqual(['waybill_quarantined_documents{projection="orders"} 2']);
  });

  test('what does not answer is waited for a second, left out, and asked once', async () => {
    let asked = 0;
    tell(
      () => {
        asked += 1;
        return new Promise(() => {});
      },
      async () => [orders],
    );
    expect(await told()).toEqual(['waybill_quarantined_documents{projection="orders"} 2']);
    now = 60_000;
    expect(await told()).toEqual(['waybill_quarantined_documents{projection="orders"} 2']);
    expect(asked).toBe(1);
  });
});
