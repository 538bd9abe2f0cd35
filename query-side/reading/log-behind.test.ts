import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { at } from '@waybill/shared-kernel/testing/at.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { PartitionProjector } from '@waybill/projections/projecting/project.js';
import { releaseDocument } from '@waybill/projections/quarantine/fold-or-quarantine.js';
import { fragile, type Break } from '@waybill/projections/testing/fragile.js';
import { confirmed, dispatched, pickedUp, placed, scheduled } from '@waybill/projections/testing/history.js';
import { documentsOf, straightFold } from '@waybill/projections/testing/logs.js';
import { OrdersBench } from '@waybill/projections/testing/orders-bench.js';

const partition = partitionOf('o1');
const orderStream = streamName('order', 'o1');
const deliveryStream = streamName('delivery', deliveryIdOf('o1'));

/** A log whose streams may be shown short of what is in them. */
class Bench extends OrdersBench {
  /** Stream → the first of its revisions that the log does not show. */
  readonly hiddenFrom = new Map<string, number>();

  readonly dependencies = {
    clock: this.clock,
    readStore: this.readStore,
    store: {
      readStream: async (stream: string, from: number, limit: number) => {
        const events = await this.log.readStream(stream, from, limit);
        return events.filter(({ revision }) => revision < (this.hiddenFrom.get(stream) ?? Infinity));
      },
      cutOf: (stream: string) => this.log.cutOf(stream),
    },
  };

  async find(key: string): Promise<StoredDocument | undefined> {
    return (await this.readStore.load(orders.collection, [key]))[0];
  }

  async position(): Promise<number> {
    return (await this.readStore.position(orders.collection, partition)).through;
  }
}

const life = [placed('o1'), scheduled('o1'), pickedUp('o1'), confirmed('o1'), dispatched('o1')];

describe('a projector whose log does not show yet what is known', () => {
  let bench: Bench;
  let events: readonly RecordedEvent[];
  beforeEach(async () => {
    bench = await Bench.open(life);
    events = await bench.events();
  });
  afterEach(() => bench.end());

  const projector = (projection: Projection = orders) =>
    new PartitionProjector(projection, partition, bench.dependencies);
  const breaking = (index: number, where: Break = 'fold'): Projection =>
    fragile(orders, new Map([[events[index]!.id, where]]));

  async function expectConverged(): Promise<void> {
    expect(await documentsOf(bench.readStore, orders)).toEqual(await straightFold(bench.log, orders));
  }

  test('folds nothing behind a gap that it does not show whole', async () => {
    bench.hiddenFrom.set(orderStream, 1);
    const waiting = projector();
    const batch = [events[0]!, events.at(-1)!];
    await expect(waiting.apply(batch, at(5))).rejects.toEqual(
      new Unavailable('event store', `The log does not show revision 1 of ${orderStream} yet.`),
    );
    expect([await bench.find('o1'), await bench.position()]).toEqual([undefined, 0]);
    bench.hiddenFrom.clear();
    await waiting.apply(batch, at(5));
    expect(await bench.find('o1')).toMatchObject({ revisions: { order: 2 } });
    await waiting.apply(events, at(5));
    await expectConverged();
  });

  test('writes nothing over what another has written while it cannot fold its own again', async () => {
    const late = projector();
    await late.apply(events.slice(0, 1), at(1));
    await projector().apply([events[0]!, events[3]!], at(1));
    bench.hiddenFrom.set(deliveryStream, 0);
    await expect(late.apply(events.slice(1, 2), at(2))).rejects.toEqual(
      new Unavailable('event store', `The log does not show revision 0 of ${deliveryStream} yet.`),
    );
    expect([(await bench.find('o1'))?.revisions, await bench.position()]).toEqual([{ order: 1 }, 1]);
    bench.hiddenFrom.clear();
    await late.apply(events.slice(1), at(5));
    await expectConverged();
  });

  test.each([0, 1])(
    'quarantines no document short of what it has folded of another stream, from %d on',
    async (hidden) => {
      bench.hiddenFrom.set(deliveryStream, hidden);
      const settling = projector(breaking(3));
      await expect(settling.apply(events, at(5))).rejects.toEqual(
        new Unavailable('event store', `The log does not show revision 1 of ${deliveryStream} yet.`),
      );
      expect([await bench.find('o1'), await bench.position()]).toEqual([undefined, 0]);
      bench.hiddenFrom.clear();
      await settling.apply(events, at(5));
      expect(await bench.find('o1')).toMatchObject({
        revisions: { order: 0, delivery: 1 },
        degraded: { seen: { order: 2, delivery: 1 } },
      });
    },
  );

  test('notes what waits in a document that another has quarantined, which had seen less', async () => {
    bench.hiddenFrom.set(orderStream, 2);
    await projector(breaking(3)).apply(events.slice(0, 4), at(4));
    expect(await bench.find('o1')).toMatchObject({ degraded: { seen: { order: 1 } } });
    await projector(breaking(3, 'fields')).apply(events, at(5));
    expect(await bench.find('o1')).toMatchObject({
      revisions: { order: 0, delivery: 1 },
      degraded: { seen: { order: 2, delivery: 1 } },
    });
  });

  test('takes nothing back of what another has seen to wait', async () => {
    await projector(breaking(3)).apply(events, at(5));
    const before = await bench.find('o1');
    expect(before).toMatchObject({ degraded: { seen: { order: 2 } } });
    await projector(breaking(3, 'fields')).apply(events.slice(0, 4), at(5));
    expect(await bench.find('o1')).toEqual(before);
  });

  describe('when a document is released', () => {
    test.each([
      ['the last event that was passed by', orderStream, 2, 'revision 2 of order-o1'],
      ['the event that could not be applied', orderStream, 1, 'revision 2 of order-o1'],
      ['an event that is in it already', deliveryStream, 1, `revision 1 of ${deliveryStream}`],
    ])('leaves out nothing that was seen of it, as %s: it waits', async (_, stream, hidden, missing) => {
      await projector(breaking(3)).apply(events, at(5));
      const before = await bench.find('o1');
      bench.hiddenFrom.set(stream, hidden);
      for (const projection of [orders, breaking(3)]) {
        await expect(releaseDocument(projection, 'o1', bench.dependencies)).rejects.toEqual(
          new Unavailable('event store', `The log does not show ${missing} yet.`),
        );
      }
      expect(await bench.find('o1')).toEqual(before);
      bench.hiddenFrom.clear();
      expect(await releaseDocument(orders, 'o1', bench.dependencies)).not.toHaveProperty('degraded');
      await expectConverged();
    });

    test('leaves out nothing that was in it when it was quarantined by one who was shown less', async () => {
      await projector().apply(events.slice(0, 3), at(3));
      bench.hiddenFrom.set(deliveryStream, 1);
      await projector(breaking(3)).apply(events.slice(3), at(5));
      expect(await bench.find('o1')).toMatchObject({ revisions: { order: 0, delivery: 1 }, degraded: {} });
      await expect(releaseDocument(orders, 'o1', bench.dependencies)).rejects.toBeInstanceOf(Unavailable);
      bench.hiddenFrom.clear();
      await releaseDocument(orders, 'o1', bench.dependencies);
      await expectConverged();
    });

    test.each(['document', 'log'])('misses nothing that is passed by once its %s is read', async (what) => {
      const running = projector(breaking(3));
      bench.hiddenFrom.set(orderStream, 2);
      await running.apply(events.slice(0, 4), at(4));
      let passes = 0;
      const passBy = async (): Promise<void> => {
        passes += 1;
        if (passes > 1) return;
        bench.hiddenFrom.clear();
        await running.apply(events.slice(4), at(5));
      };
      const dependencies = {
        ...bench.dependencies,
        readStore: {
          load: async (...asked: Parameters<typeof bench.readStore.load>) => {
            const found = await bench.readStore.load(...asked);
            if (what === 'document') await passBy();
            return found;
          },
          commit: async (batch: Parameters<typeof bench.readStore.commit>[0]) => {
            if (what === 'log') await passBy();
            return bench.readStore.commit(batch);
          },
        },
      };
      expect(await releaseDocument(orders, 'o1', dependencies)).not.toHaveProperty('degraded');
      expect(passes).toBe(2);
      await expectConverged();
    });
  });
});
