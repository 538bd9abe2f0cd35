import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { DeliveryOwners } from '@waybill/shared-kernel/partitions/delivery-owners.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { resumeSuspended } from './suspension/resume-suspended.js';
import { streamsInDoubt } from '@waybill/shared-kernel/stream-faults.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { suspendedOrders } from './suspension/suspended-orders.js';
import { fulfilmentOf, sharedByPartitions } from './run-fulfilment.js';
import { Bench, Driven, types } from './testing/fulfilment-bench.js';

/** Two orders of one partition, and one of any. */
const [bad, good] = neighbours();
const other = 'elsewhere';

function neighbours(): readonly [string, string] {
  const ids = Array.from({ length: 100 }, (_, index) => `o${index}`);
  return [ids[0]!, ids.find((id) => id !== ids[0] && partitionOf(id) === partitionOf(ids[0]!))!];
}

/** What can be done to a stream in the event store. */
const cuts = [
  ['truncated', (bench: Bench, stream: string) => bench.log.truncate(stream, 1)],
  ['truncated with all that it held', (bench: Bench, stream: string) => bench.log.truncate(stream, 99)],
  ['soft-deleted', (bench: Bench, stream: string) => bench.log.truncate(stream, Infinity)],
  ['tombstoned', (bench: Bench, stream: string) => bench.log.tombstone(stream)],
] as const;

async function suspended(bench: Bench) {
  return (await bench.readStore.quarantined(suspendedOrders, undefined, 100)).map(({ key }) => key);
}

describe.each(cuts)('a stream that was %s', (what, cut) => {
  test.each([`order-${bad}`, `payment-${bad}`, `delivery-${deliveryIdOf(bad)}`, `fulfilment-${bad}`])(
    'stops its order and no other: %s',
    async (stream) => {
      const bench = new Bench();
      const driven = new Driven(bench);
      await bench.list(100);
      for (const orderId of [bad, good]) await bench.place(orderId);
      await driven.work(100);
      await bench.onDelivery(bad, { type: 'AssignDelivery', deliveryId: deliveryIdOf(bad), courierId: 'k1' });
      cut(bench, stream);
      driven.restart();
      await bench.cancel(good);
      await bench.cancel(bad).catch((error: unknown) => expect(error).toMatchObject({ kind: 'stream-cut' }));
      await bench.place(other);
      await driven.work(100);
      bench.clock.advance(60_000);
      await driven.look();

      const histories = await bench.histories();
      expect(types(histories, `fulfilment-${good}`)).toContain('FulfilmentStockReleased');
      expect(types(histories, `order-${other}`)).toEqual(['OrderPlaced', 'OrderConfirmed']);
      const isOver = stream === `order-${bad}`;
      // Where the order itself takes no cancellation any more, nothing happened that could not be handled.
      if (!isOver) expect(await suspended(bench)).toEqual([bad]);
    },
  );

  test.each([`payment-${bad}`, `delivery-${deliveryIdOf(bad)}`, `fulfilment-${bad}`])(
    'stops its order alone also when that is told to go on: %s',
    async (stream) => {
      const bench = new Bench();
      const driven = new Driven(bench);
      await bench.list(100);
      await bench.place(bad);
      await driven.work(100);
      const suspend = { ...(await bench.events()).at(-1)!, id: randomUUID(), type: 'FulfilmentSuspended' };
      const own = `fulfilment-${bad}`;
      const { length } = await bench.log.readStream(own, 0, 100);
      const data = { orderId: bad, eventId: '', eventType: '', stream: '', revision: 0, error: '' };
      await bench.log.append(own, length - 1, [{ ...suspend, partitionKey: bad, schemaVersion: 1, data }]);
      await driven.work(100);
      const actor = { sub: 'ann', role: 'operator' };
      await resumeSuspended(bad, { store: bench.log, clock: bench.clock, actor, reason: null });
      cut(bench, stream);
      driven.restart();
      await bench.place(good);
      await driven.work(100);
      // Of a payment nothing is wanted any more, so whether it can be read is found where it is tombstoned alone.
      const isMet = !stream.startsWith('payment-') || what === 'tombstoned';
      expect(await suspended(bench)).toEqual(isMet ? [bad] : []);
      expect(types(await bench.histories(), `order-${good}`)).toEqual(['OrderPlaced', 'OrderConfirmed']);
    },
  );

  test('of an order keeps it from being confirmed, and says so', async () => {
    const bench = new Bench();
    const driven = new Driven(bench);
    await bench.list(100);
    await bench.place(bad);
    await driven.work(2, 1);
    await driven.save();
    cut(bench, `order-${bad}`);
    driven.restart();
    await driven.work(100);
    expect(await suspended(bench)).toEqual([bad]);
  });

  test('of a product holds up the orders that need it one by one, and no other', async () => {
    const bench = new Bench();
    const driven = new Driven(bench);
    await bench.list(100);
    await bench.place('before');
    await driven.work(100);
    cut(bench, 'product-p1');
    driven.restart();
    for (const orderId of [bad, good, other]) await bench.place(orderId);
    await bench.cancel('before');
    await driven.work(100);
    expect((await suspended(bench)).toSorted()).toEqual(['before', bad, good, other].toSorted());
    const histories = await bench.histories();
    expect(types(histories, 'order-before')).toContain('OrderCancelled');
    for (const orderId of [bad, good, other]) {
      expect(types(histories, `fulfilment-${orderId}`)).toEqual(['FulfilmentStarted', 'FulfilmentSuspended']);
    }
  });

  test('of a fulfilment is in the list of suspended orders as soon as the log says it', async () => {
    const bench = new Bench();
    const driven = new Driven(bench);
    await bench.place(bad);
    await driven.work(100);
    cut(bench, `fulfilment-${bad}`);
    const dependencies = bench.dependencies();
    const target = fulfilmentOf(partitionOf(bad), dependencies, sharedByPartitions(dependencies));
    await target.position();
    const { marks } = await bench.log.readAll(0, 1000);
    await target.doubt(await streamsInDoubt(bench.log, marks, new DeliveryOwners(bench.log)));
    await target.doubt(await streamsInDoubt(bench.log, marks, new DeliveryOwners(bench.log)));
    const [listed] = await bench.readStore.quarantined(suspendedOrders, undefined, 100);
    expect(listed).toMatchObject({ key: bad, degraded: { cut: { stream: `fulfilment-${bad}` } } });
  });
});

test("a stream that is merely named like a fulfilment is nobody's, unless something is left of it or of its order", async () => {
  const bench = new Bench();
  await bench.place(good);
  bench.log.tombstone('fulfilment-theirs');
  bench.log.tombstone(`fulfilment-${good}`);
  bench.log.tombstone(`order-${bad}`);
  bench.log.tombstone(`fulfilment-${bad}`);
  const [event] = await bench.events();
  const { stream: _stream, revision: _revision, position: _position, recordedAt: _recordedAt, ...others } = event!;
  await bench.log.append(
    'fulfilment-cut',
    noStream,
    [1, 2].map(() => ({ ...others, id: randomUUID() })),
  );
  bench.log.truncate('fulfilment-cut', 1);
  const { marks } = await bench.log.readAll(0, 1000);
  const doubted = await streamsInDoubt(bench.log, marks, new DeliveryOwners(bench.log));
  const dependencies = bench.dependencies();
  for (const { partitionKey, ...rest } of doubted) {
    const target = fulfilmentOf(partitionOf(partitionKey), dependencies, sharedByPartitions(dependencies));
    await target.position();
    await target.doubt([{ partitionKey, ...rest }]);
  }
  expect((await suspended(bench)).toSorted()).toEqual([bad, 'cut', good].toSorted());
});

test('an order that is placed where one was deleted is not fulfilled', async () => {
  const bench = new Bench();
  const driven = new Driven(bench);
  await bench.list(100);
  await bench.place(bad, true);
  const stream = `order-${bad}`;
  const [{ imported: _imported, ...placed }] = (await bench.log.readStream(stream, 0, 1)) as [RecordedEvent];
  bench.log.truncate(stream, Infinity);
  const again = bench.log.append(stream, noStream, [{ ...placed, id: randomUUID() }]);
  await expect(again).rejects.toMatchObject({ kind: 'stream-cut' });
  await bench.place(good);
  await driven.work(100);
  expect(await suspended(bench)).toEqual([bad]);
  const histories = await bench.histories();
  expect(types(histories, `fulfilment-${bad}`)).toEqual(['FulfilmentSuspended']);
  expect(types(histories, `order-${good}`)).toEqual(['OrderPlaced', 'OrderConfirmed']);
});
