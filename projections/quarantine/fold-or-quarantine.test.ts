import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DocumentNotStorable, StreamCut, StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import type { WaybillEvent } from '@waybill/shared-kernel/events/catalogue.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import type { QuarantineNotice } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import { at } from '@waybill/shared-kernel/testing/at.js';
import { orders } from '../read-models/orders.js';
import { PartitionProjector } from '../projecting/project.js';
import { fragile } from '../testing/fragile.js';
import { cancelled, confirmed, happening, placed, scheduled } from '../testing/history.js';
import { appendAll } from '../testing/logs.js';
import { OrdersBench } from '../testing/orders-bench.js';
import { releaseDocument } from './fold-or-quarantine.js';

const partition = partitionOf('o1');

describe('a document that is settled while another writes it', () => {
  let bench: OrdersBench;
  let events: readonly RecordedEvent[];
  const notices: QuarantineNotice[] = [];
  beforeEach(async () => {
    bench = await OrdersBench.open([placed('o1'), scheduled('o1'), confirmed('o1')]);
    events = await bench.events();
    notices.length = 0;
  });
  afterEach(() => bench.end());

  /** One that cannot apply the last event, told before each of its commits. */
  function settling(before: (commits: number) => Promise<void>): PartitionProjector {
    const { log: store, clock, readStore } = bench;
    let commits = 0;
    return new PartitionProjector(fragile(orders, new Map([[events[2]!.id, 'fold']])), partition, {
      store,
      clock,
      quarantined: (notice) => notices.push(notice),
      readStore: {
        load: (...asked) => readStore.load(...asked),
        commit: async (batch: Parameters<ReadStore['commit']>[0]) => {
          await before((commits += 1));
          return readStore.commit(batch);
        },
      },
    });
  }

  const whole = (): PartitionProjector => {
    const { log: store, clock, readStore } = bench;
    return new PartitionProjector(orders, partition, { store, clock, readStore });
  };

  test('is quarantined on what that one has written', async () => {
    const projector = settling(async (commits) => {
      if (commits === 1) await whole().apply(events.slice(0, 1), at(1));
    });
    await projector.apply(events, at(3));
    const [document] = await bench.readStore.load(orders.collection, ['o1']);
    expect(document).toMatchObject({
      revisions: { order: 0, delivery: 0 },
      degraded: { event: { id: events[2]!.id }, seen: { order: 1, delivery: 0 } },
    });
    expect(notices).toHaveLength(1);
    expect((await bench.readStore.position(orders.collection, partition)).through).toBe(3);
  });

  test('is not quarantined where that one could apply it all', async () => {
    const projector = settling(async (commits) => {
      if (commits === 1) await whole().apply(events, at(1));
    });
    await projector.apply(events, at(3));
    const [document] = await bench.readStore.load(orders.collection, ['o1']);
    expect(document).toMatchObject({ revisions: { order: 1, delivery: 0 } });
    expect(document).not.toHaveProperty('degraded');
    expect(notices).toEqual([]);
  });
});

describe('a quarantined document of which nothing can be written any more', () => {
  let bench: OrdersBench;
  beforeEach(async () => {
    bench = await OrdersBench.open([placed('o1'), confirmed('o1')]);
    const { log: store, clock, readStore } = bench;
    await new PartitionProjector(breaking(await bench.events()), partition, { store, clock, readStore }).apply(
      await bench.events(),
      at(2),
    );
    await appendAll(bench.log, [scheduled('o1')]);
  });
  afterEach(() => bench.end());

  function breaking(events: readonly RecordedEvent[]): Projection {
    return fragile(orders, new Map([[events[1]!.id, 'fold']]));
  }

  /** Passes by what has come since. What it asks the read store over and over ends with a fault of its own. */
  async function passBy(projection: Projection, fault?: Error): Promise<void> {
    const { log: store, clock, readStore } = bench;
    let asked = 0;
    const count = (): void => {
      if ((asked += 1) > 50) throw new Error('It asks over and over.');
    };
    const projector = new PartitionProjector(projection, partition, {
      store,
      clock,
      readStore: {
        load: async (...of) => {
          count();
          return readStore.load(...of);
        },
        commit: async (batch: Parameters<ReadStore['commit']>[0]) => {
          count();
          if (fault !== undefined) throw fault;
          return readStore.commit(batch);
        },
      },
    });
    await projector.apply((await bench.events()).slice(2), at(3));
  }

  test.each(['o1', 'another'])('pauses its partition where the read store blames %s', async (key) => {
    const fault = new DocumentNotStorable(key, 'It is too large.');
    await expect(passBy(breaking(await bench.events()), fault)).rejects.toBe(fault);
  });

  test('pauses its partition where its fields cannot be derived', async () => {
    const fault = new TypeError('These sections make no sense.');
    const senseless: Projection = {
      ...breaking(await bench.events()),
      fields: () => {
        throw fault;
      },
    };
    await expect(passBy(senseless)).rejects.toBe(fault);
  });
});

describe('a stream in doubt of which nothing was ever seen', () => {
  let bench: OrdersBench;
  beforeEach(async () => {
    bench = await OrdersBench.open([]);
  });
  afterEach(() => bench.end());

  test.each([
    ['it was cut, and nothing is left', new StreamCut('order-o1', undefined), []],
    ['it was cut, and something is left', new StreamCut('order-o1', 1), ['o1']],
    ['its first event cannot be read', new StreamUnreadable('order-o1', 0, 1, 'it is no JSON'), ['o1']],
    ['it begins no document', new StreamUnreadable('payment-o1', 0, 1, 'it is no JSON'), []],
  ])('%s', async (_, fault, keys) => {
    const { log: store, clock, readStore } = bench;
    const projector = new PartitionProjector(orders, partition, { store, clock, readStore });
    await projector.doubt([{ stream: fault.stream, partitionKey: 'o1', fault }]);
    const found = await readStore.load(orders.collection, ['o1']);
    expect(found.filter(({ degraded }) => degraded !== undefined).map(({ key }) => key)).toEqual(keys);
  });
});

test('a stream of the key that is not named after it is folded when it is settled, and when it is released', async () => {
  const onOther = (type: string, more: object) =>
    happening('delivery-other', 'o1', { type, data: { deliveryId: 'other', orderId: 'o1', ...more } } as WaybillEvent);
  const bench = await OrdersBench.open([
    placed('o1'),
    onOther('DeliveryScheduled', { customerId: 'ada', address: null, promisedBy: null }),
    onOther('DeliveryAssigned', { courierId: 'cleo' }),
  ]);
  const { log: store, clock, readStore } = bench;
  const events = await bench.events();
  const breaking = fragile(orders, new Map([[events[2]!.id, 'fold']]));
  await new PartitionProjector(breaking, partition, { store, clock, readStore }).apply(events, at(3));
  const load = async () => (await readStore.load(orders.collection, ['o1']))[0];
  expect(await load()).toMatchObject({
    revisions: { order: 0, delivery: 0 },
    degraded: { event: { stream: 'delivery-other', revision: 1 }, seen: { delivery: 1 } },
  });
  await releaseDocument(orders, 'o1', { store, clock, readStore });
  expect(await load()).toMatchObject({ revisions: { order: 0, delivery: 1 } });
  expect(await load()).not.toHaveProperty('degraded');
  await bench.end();
});

test('what another program wrote and this one makes nothing of is replaced by what a release can fold', async () => {
  const bench = await OrdersBench.open([placed('o1'), confirmed('o1'), cancelled('o1')]);
  const { log: store, clock, readStore } = bench;
  const events = await bench.events();
  const { id, stream, revision, position, type } = events[2]!;
  const since = '2026-03-01T12:00:00.000Z';
  const degraded = {
    since,
    triedAt: since,
    error: 'So.',
    event: { id, stream, revision, position, type },
    seen: { order: 2 },
  };
  const theirs = { revisions: { order: 1 }, sections: { order: 'as only they know' } };
  const write = { key: 'o1', expected: undefined, ...theirs, fields: orders.fields({}), projectedAt: since, degraded };
  await readStore.commit({ collection: orders.collection, partition, writes: [write], position: at(2) });
  const breaking = fragile(orders, new Map([[events[1]!.id, 'fold']]));
  const ours: Projection = {
    ...breaking,
    fields: (sections) => {
      if (typeof sections.order === 'string') throw new TypeError('These sections make no sense.');
      return breaking.fields(sections);
    },
  };
  expect(await releaseDocument(ours, 'o1', { store, clock, readStore })).toMatchObject({
    revisions: { order: 0 },
    degraded: { since, event: { id: events[1]!.id }, seen: { order: 2 } },
  });
  await bench.end();
});
