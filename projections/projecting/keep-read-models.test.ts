import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { InvalidInput, LogMismatch } from '@waybill/shared-kernel/errors.js';
import type { DocumentBatch } from '@waybill/shared-kernel/ports/read-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { projections } from '../read-models/projections.js';
import { deliveries } from '../read-models/deliveries.js';
import { orders } from '../read-models/orders.js';
import { Kept } from '../rebuild/testing/kept.js';
import { watchedReadStore } from '../rebuild/testing/watched-read-store.js';
import { fragile } from '../testing/fragile.js';
import { confirmed, placed, scheduled } from '../testing/history.js';
import { documentsOf, straightFold } from '../testing/logs.js';
import { at } from '@waybill/shared-kernel/testing/at.js';

describe('a rebuild', () => {
  let kept: Kept;
  beforeEach(() => {
    kept = new Kept();
  });
  afterEach(() => kept.close());

  async function withoutQueues(consumer: string): Promise<void> {
    for (let partition = 0; partition < partitionCount; partition += 1) {
      const isGone = (): Promise<boolean> =>
        kept.broker.depth({ consumer, partition }).then(
          () => false,
          () => true,
        );
      await until(isGone);
    }
  }

  async function expectLiveIsRight(version: number): Promise<void> {
    const live = await kept.live(orders);
    expect(live.collection.version).toBe(version);
    await kept.applied(live);
    expect(await documentsOf(kept.reader, live)).toEqual(await straightFold(kept.log, orders));
  }

  test('makes the next version from the log, switches to it and follows it', async () => {
    await kept.happen(placed('o1'), confirmed('o1'));
    await kept.keep(projections).following;
    await kept.request(orders);
    const { live, previous, last } = await kept.ended(orders);
    expect({ live, previous }).toEqual({ live: 3, previous: 2 });
    expect(last).toMatchObject({
      kind: 'rebuild',
      version: 3,
      result: 'switched',
      documents: 1,
      differences: { count: 0, first: [] },
      mended: { count: 0, first: [] },
    });
    await kept.happen(scheduled('o1'), placed('o2'));
    await expectLiveIsRight(3);
    expect(kept.faults).toEqual([]);
  });

  test('mends a read model that is not of this log; until then the others follow, and progress tells of it', async () => {
    await kept.happen(placed('o1'));
    const { collection } = await kept.live(orders);
    const position = { through: 50, anchors: [[50, 'lost']] } as const;
    await kept.reader.commit({ collection, partition: 0, writes: [], position });
    const keeper = kept.keep(projections);
    await keeper.following;
    await kept.happen(scheduled('o1'), placed('o2'));
    await kept.applied(await kept.live(deliveries));
    const standing = keeper.progress().filter(({ fault }) => fault instanceof LogMismatch);
    expect(standing.map(({ name }) => name)).toEqual(
      Array.from({ length: partitionCount }, (_, n) => `orders.v2/${n}`),
    );
    expect(standing[0]).toMatchObject({ position: 0, isUpToDate: false });
    expect(new Set(keeper.states().map(({ projection }) => projection))).not.toContain('orders');
    await kept.request(orders);
    await kept.ended(orders);
    await expectLiveIsRight(3);
    await until(() => keeper.progress().every(({ fault }) => fault === undefined));
  });

  test('keeps the version before as it was, without queues', async () => {
    await kept.happen(placed('o1'));
    await kept.keep(projections).following;
    const before = await documentsOf(kept.reader, await kept.live(orders));
    await kept.request(orders);
    await kept.ended(orders);
    await withoutQueues('orders.v2');
    await kept.happen(confirmed('o1'));
    await kept.applied(await kept.live(orders));
    expect(await documentsOf(kept.reader, await kept.at(orders, 2))).toEqual(before);
  });

  test('of which the code has another shape leaves no queues of the older shape', async () => {
    await kept.keep([orders]).following;
    await kept.stopKeeping();
    expect(await kept.broker.depth({ consumer: 'orders.v2', partition: 0 })).toBe(0);
    const next: Projection = { ...orders, collection: { ...orders.collection, version: 3 } };
    await kept.keep([next]).following;
    await withoutQueues('orders.v2');
    await kept.happen(placed('o1'));
    await kept.applied(next);
  });

  test('of a version after it drops the one before the previous', async () => {
    await kept.happen(placed('o1'));
    const store = kept.open();
    const dropped: string[] = [];
    const watched = watchedReadStore(store, (name, [collection]) => {
      if (name === 'drop') dropped.push(`${(collection as DocumentBatch['collection']).version}`);
    });
    await kept.keep(projections, kept.dependencies(watched)).following;
    for (const version of [3, 4, 5]) {
      await kept.request(orders);
      await kept.ended(orders);
      await expectLiveIsRight(version);
    }
    await until(async () => (await kept.versions(orders)).obsolete.length === 0);
    expect(dropped).toEqual(['2', '3']);
    expect(await kept.versions(orders)).toMatchObject({ live: 5, previous: 4 });
  });

  test('says what it mended', async () => {
    await kept.happen(placed('o1'), placed('o2'));
    await kept.keep(projections).following;
    await spoil(kept.reader, 'o1');
    await kept.request(orders);
    const { last } = await kept.ended(orders);
    expect(last).toMatchObject({ result: 'switched', documents: 2, differences: { count: 0 } });
    expect(last?.mended.first[0]).toMatchObject({
      key: 'o1',
      path: '/sections/order/spoilt',
      expected: 'null',
      actual: 'true',
    });
    expect(last?.mended.count).toBe(1);
    await expectLiveIsRight(3);
  });

  async function spoil(store: ReadStore, key: string): Promise<void> {
    const { collection } = await kept.live(orders);
    const [document] = await store.load(collection, [key]);
    const { revisions, sections } = document!;
    const order = { ...(sections['order'] as object), spoilt: true };
    const write = {
      key,
      expected: revisions,
      revisions,
      sections: { ...sections, order },
      fields: orders.fields(sections),
      projectedAt: 'now',
    };
    await store.commit({ collection, partition: document!.partition, writes: [write], position: at(0) });
  }

  test('whose version is not what the log says changes nothing', async () => {
    await kept.happen(placed('o1'), placed('o2'));
    const store = kept.open();
    const forgetful = watchedReadStore(store, (name, [batch]) => {
      if (name !== 'commit') return undefined;
      const { collection, writes } = batch as DocumentBatch;
      if (collection.version === 3 && writes.length > 0) {
        return [{ ...(batch as DocumentBatch), writes: writes.filter(({ key }) => key !== 'o2') }];
      }
      return undefined;
    });
    await kept.keep(projections, kept.dependencies(forgetful)).following;
    await kept.request(orders);
    const { live, previous, last } = await kept.ended(orders);
    expect({ live, previous }).toEqual({ live: 2, previous: undefined });
    expect(last).toMatchObject({ result: 'differs', version: 3, differences: { count: 1 }, mended: { count: 0 } });
    expect(last?.differences.first[0]).toMatchObject({ key: 'o2', path: '', actual: 'null' });
    await until(async () => (await kept.versions(orders)).obsolete.length === 0);
    await expectLiveIsRight(2);
    await kept.request(orders);
    await kept.ended(orders);
    await expectLiveIsRight(4);
  });

  describe('with an event that cannot be applied', () => {
    let isMended: boolean;
    let breakable: Projection;
    beforeEach(async () => {
      await kept.happen(placed('o1'), confirmed('o1'), placed('o2'));
      const [, broken] = (await kept.log.readAll(0, 10)).events;
      expect(broken?.type).toBe('OrderConfirmed');
      breakable = fragile(orders, new Map([[broken!.id, 'fold']]), () => isMended);
    });

    async function quarantined(): Promise<readonly string[]> {
      const { collection } = await kept.live(orders);
      return (await kept.reader.quarantined(collection, undefined, 10)).map(({ key }) => key);
    }

    test('has the same document in quarantine, of its own version', async () => {
      isMended = false;
      await kept.keep([breakable]).following;
      expect(await quarantined()).toEqual(['o1']);
      await kept.request(orders);
      const { live, last } = await kept.ended(orders);
      expect({ live, last }).toMatchObject({ live: 3, last: { result: 'switched', differences: { count: 0 } } });
      expect(await quarantined()).toEqual(['o1']);
    });

    test('that it can apply, takes the document out of quarantine', async () => {
      isMended = false;
      await kept.keep([breakable]).following;
      expect(await quarantined()).toEqual(['o1']);
      isMended = true;
      await kept.request(orders);
      expect(await kept.ended(orders)).toMatchObject({ live: 3, last: { result: 'switched' } });
      expect(await quarantined()).toEqual([]);
      await expectLiveIsRight(3);
    });

    test('that could be applied before, is not switched to', async () => {
      isMended = true;
      await kept.keep([breakable]).following;
      isMended = false;
      await kept.request(orders);
      const { live, last } = await kept.ended(orders);
      expect({ live, last }).toMatchObject({ live: 2, last: { result: 'differs', differences: { count: 1 } } });
      expect(last?.differences.first).toEqual([
        {
          key: 'o1',
          path: '/degraded',
          expected: 'null',
          actual: '{"quarantined":"TypeError: this event makes no sense"}',
          divergedAt: '2',
        },
      ]);
      expect(await quarantined()).toEqual([]);
    });
  });

  test('is refused while one is under way', async () => {
    await kept.versions(orders);
    await kept.request(orders);
    await expect(kept.request(orders)).rejects.toThrow(
      new InvalidInput([], 'A rebuild of orders is under way, to version 3.'),
    );
    await expect(kept.request(orders, 'rollback')).rejects.toThrow('A rebuild of orders is under way');
  });

  test('can be taken back, with all that has happened since, and again', async () => {
    await kept.happen(placed('o1'));
    await kept.keep(projections).following;
    await kept.request(orders);
    await kept.ended(orders);
    await kept.happen(confirmed('o1'), placed('o2'));
    await kept.request(orders, 'rollback');
    expect(await kept.ended(orders)).toMatchObject({ live: 2, previous: 3, last: { kind: 'rollback', version: 2 } });
    await kept.happen(placed('o3'));
    await expectLiveIsRight(2);
    await kept.request(orders, 'rollback');
    expect(await kept.ended(orders)).toMatchObject({ live: 3, previous: 2 });
    await kept.happen(placed('o4'));
    await expectLiveIsRight(3);
    await kept.request(orders);
    expect(await kept.ended(orders)).toMatchObject({ live: 4, previous: 3, obsolete: [2] });
  });
});
