import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { seededRandomness } from '@waybill/infra/clock/seeded.js';
import { systemTimer } from '@waybill/infra/clock/system.js';
import { everyPartition } from '@waybill/shared-kernel/assignment.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partition.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { startRelay } from '../relay/relay.js';
import { FaultyStore, type Fate } from '../testing/faulty-store.js';
import { fulfilmentConsumer, fulfilmentOf, runFulfilment, sharedByPartitions } from './run-fulfilment.js';
import { Bench, Driven, types } from './testing/fulfilment-bench.js';

const begun = ['FulfilmentStarted', 'FulfilmentPaymentRequested'];
const requested = [...begun, 'FulfilmentPaymentSettled', 'FulfilmentDeliveryRequested'];

describe('fulfilment', () => {
  test('from the log over the broker: a placed order is confirmed and its delivery scheduled', async () => {
    const bench = new Bench();
    const relay = startRelay({
      broker: bench.broker,
      store: bench.log,
      checkpoints: bench.readStore,
      timer: systemTimer,
      randomness: seededRandomness('relay'),
    });
    const running = runFulfilment({ ...bench.means(), timer: systemTimer, assign: everyPartition });
    const orders = Array.from({ length: 50 }, (_, index) => `o${index}`);
    await Promise.all(orders.map((orderId) => bench.place(orderId)));
    await until(async () => {
      await bench.payments.settle();
      return (await bench.events()).length === 400;
    });
    const histories = await bench.histories();
    for (const orderId of orders) {
      expect(types(histories, `order-${orderId}`)).toEqual(['OrderPlaced', 'OrderConfirmed']);
      expect(types(histories, `fulfilment-${orderId}`)).toEqual(requested);
      expect(histories[`delivery-${deliveryIdOf(orderId)}`]).toMatchObject([
        {
          type: 'DeliveryScheduled',
          partitionKey: orderId,
          data: { orderId, customerId: 'c1', address: 'sealed.1.c1.AAAA' },
        },
      ]);
    }
    await Promise.all([running.stop(), relay.stop()]);
    for (const { type, partitionKey, position } of await bench.events()) {
      if (type !== 'OrderPlaced') continue;
      const saved = await bench.readStore.consumerPosition(fulfilmentConsumer, partitionOf(partitionKey));
      expect(saved).toBeGreaterThanOrEqual(position);
    }
  });

  test('its partitions share the questions where the relay stands', async () => {
    const bench = new Bench();
    let questions = 0;
    const checkpoints = {
      relayCheckpoint: () => {
        questions += 1;
        return bench.readStore.relayCheckpoint();
      },
    };
    const running = runFulfilment({ ...bench.means(), checkpoints, assign: everyPartition });
    await until(() => running.states().every(({ mode }) => mode === 'following'));
    expect(questions).toBe(1);
    await running.stop();
  });

  test('each event names its cause, and all share the correlation of the order', async () => {
    const bench = new Bench();
    await bench.place('o1');
    await new Driven(bench).work(100);
    const events = await bench.events();
    const causes = Object.fromEntries(
      events.map(({ type, causationId }) => [type, events.find(({ id }) => id === causationId)?.type]),
    );
    expect(causes).toEqual({
      OrderPlaced: undefined,
      FulfilmentStarted: 'OrderPlaced',
      FulfilmentPaymentRequested: 'OrderPlaced',
      PaymentAuthorised: 'OrderPlaced',
      FulfilmentPaymentSettled: 'PaymentAuthorised',
      OrderConfirmed: 'PaymentAuthorised',
      FulfilmentDeliveryRequested: 'OrderConfirmed',
      DeliveryScheduled: 'OrderConfirmed',
    });
    expect(new Set(events.map(({ correlationId }) => correlationId)).size).toBe(1);
  });

  test('reads no stream on the way of most orders but that of a product, once for all who want it', async () => {
    const bench = new Bench();
    const read: string[] = [];
    bench.store.readStream = async (...asked) => {
      read.push(asked[0]);
      return bench.log.readStream(...asked);
    };
    const driven = new Driven(bench);
    await driven.work(100);
    await Promise.all(Array.from({ length: 20 }, (_, index) => bench.place(`o${index}`)));
    await driven.work(100);
    expect((await bench.events()).length).toBe(160);
    expect(new Set(read)).toEqual(new Set(['product-p1']));
    // Each of the partitions has orders of its own at a time.
    expect(read.length).toBeLessThanOrEqual(partitionCount);
  });

  test('lets imported history pass', async () => {
    const bench = new Bench();
    await bench.place('o1', true);
    await bench.cancel('o1');
    await new Driven(bench).work(100);
    expect((await bench.events()).map((event) => event.type)).toEqual(['OrderPlaced']);
  });

  test('works on orders side by side, and on the events of one in sequence', async () => {
    const bench = new Bench();
    const means = bench.means();
    const target = fulfilmentOf(0, means, sharedByPartitions(means));
    const orders = ['o1', 'o2', 'o3'];
    for (const orderId of orders) await bench.place(orderId);
    const underWay = new Set<string>();
    let most = 0;
    bench.store.fate = async (stream): Promise<Fate> => {
      const orderId = orders.find((id) => stream.endsWith(id)) ?? stream;
      expect(underWay.has(orderId)).toBe(false);
      underWay.add(orderId);
      most = Math.max(most, underWay.size);
      await Promise.resolve();
      underWay.delete(orderId);
      return 'done';
    };
    await target.apply(await bench.events(), 3);
    expect(most).toBe(3);
  });

  test('moves its position only behind what is done', async () => {
    const bench = new Bench();
    await bench.place('o1');
    await bench.place('o2');
    const events = await bench.events();
    const means = bench.means();
    const shared = sharedByPartitions(means);
    const { late } = shared;
    const target = fulfilmentOf(0, means, shared);
    bench.store.fate = (stream) => (stream === 'fulfilment-o1' ? 'lost' : 'done');
    await expect(target.apply(events, 2)).rejects.toThrow('The append was lost');
    await late.flush(0);
    expect(await target.position()).toBe(0);
    expect(types(await bench.histories(), 'fulfilment-o2')).toEqual(begun);
    bench.store.fate = () => 'done';
    await target.apply(events, 2);
    await late.flush(0);
    expect(await target.position()).toBe(2);
    expect(types(await bench.histories(), 'fulfilment-o1')).toEqual(begun);
  });

  test('another that was here before and is late does no harm', async () => {
    const bench = new Bench();
    const [late, present] = [new Driven(bench), new Driven(bench)];
    await late.work(100);
    await bench.place('o1');
    await present.work(100);
    await bench.cancel('o1');
    await present.work(100);
    await present.save();
    await late.work(100);
    await late.save();
    const histories = await bench.histories();
    expect(types(histories, 'fulfilment-o1')).toEqual([
      ...requested,
      'FulfilmentCancelled',
      'FulfilmentPaymentRequested',
      'FulfilmentPaymentSettled',
    ]);
    expect(types(histories, `delivery-${deliveryIdOf('o1')}`)).toEqual(['DeliveryScheduled', 'DeliveryCancelled']);
    expect(await bench.readStore.consumerPosition('fulfilment', partitionOf('o1'))).toBe(
      (await bench.events()).at(-1)!.position,
    );
  });
});

describe('a process manager', () => {
  type Step = (bench: Bench, orderId: string) => Promise<void>;
  const assigned: Step = (bench, orderId) =>
    bench.onDelivery(orderId, { type: 'AssignDelivery', deliveryId: deliveryIdOf(orderId), courierId: 'k1' });
  const pickedUp: Step = async (bench, orderId) => {
    await bench.dispatch(orderId);
    await bench.onDelivery(orderId, { type: 'RecordPickUp', deliveryId: deliveryIdOf(orderId), courierId: 'k1' });
  };
  const fail =
    (next: 'retry' | 'return'): Step =>
    (bench, orderId) =>
      bench.onDelivery(orderId, { type: 'FailDelivery', deliveryId: deliveryIdOf(orderId), reason: 'refused', next });
  const completed: Step = (bench, orderId) =>
    bench.onDelivery(orderId, { type: 'CompleteDelivery', deliveryId: deliveryIdOf(orderId), proof: null });
  const steps: Readonly<Record<string, Step>> = {
    cancelled: (bench, orderId) => bench.cancel(orderId),
    assigned,
    pickedUp,
    'dispatched only': (bench, orderId) => bench.dispatch(orderId),
    retried: fail('retry'),
    failed: fail('return'),
    completed,
    returned: (bench, orderId) =>
      bench.onDelivery(orderId, { type: 'ReturnDelivery', deliveryId: deliveryIdOf(orderId) }),
  };

  /** Whoever is quicker takes stock first: who took how much is the same, and so is what is left. */
  const comparable = async (bench: Bench) => {
    const { 'product-p1': ofProduct = [], ...histories } = await bench.histories();
    const moved = ofProduct.map(({ type, data }) => `${type} ${String(data['orderId'])} ${String(data['quantity'])}`);
    return {
      histories,
      moved: moved.toSorted(),
      left: ofProduct.at(-1)?.data['stock'],
      ledger: bench.payments.gateway.ledger.length,
    };
  };

  const anyFate = fc.constantFrom<Fate>('done', 'done', 'lost', 'unheard');
  const anyStory = fc.array(
    fc.record({
      /** What clients do before the process manager works again. */
      acts: fc.array(fc.record({ step: fc.constantFrom(...Object.keys(steps)), order: fc.nat(2) }), { maxLength: 4 }),
      fates: fc.array(anyFate, { maxLength: 12 }),
      restarts: fc.array(fc.boolean(), { maxLength: 12 }),
      /** Before which tries the positions are saved. */
      saves: fc.array(fc.boolean(), { maxLength: 12 }),
      size: fc.integer({ min: 1, max: 10 }),
    }),
    { maxLength: 6 },
  );
  const orders = ['o1', 'o2', 'o3'];

  test('that dies at any moment leaves what it would have left, had it lived', async () => {
    await fc.assert(
      fc.asyncProperty(anyStory, async (story) => {
        const [lived, died] = [new Bench(), new Bench()];
        const [calm, haunted] = [new Driven(lived), new Driven(died)];
        await Promise.all([lived.list(100), died.list(100)]);
        for (const orderId of orders) {
          await lived.place(orderId);
          await died.place(orderId);
        }
        const last = { acts: [], fates: [], restarts: [], saves: [], size: 10 };
        for (const { acts, fates, restarts, saves, size } of [...story, last]) {
          for (const { step, order } of acts) {
            await steps[step]!(lived, orders[order]!);
            await steps[step]!(died, orders[order]!);
          }
          await calm.work(1000);
          const ahead = [...fates];
          const [deaths, saved] = [[...restarts], [...saves]];
          died.store.fate = () => ahead.shift() ?? 'done';
          for (let alive = false; !alive;) {
            if (saved.shift() === true) await haunted.save();
            alive = await haunted.work(size).then(
              () => true,
              () => false,
            );
            if (!alive && deaths.shift() === true) haunted.restart();
          }
        }
        expect(await comparable(died)).toEqual(await comparable(lived));
      }),
      { numRuns: 60 },
    );
  }, 90_000);

  test('leaves the same, each event once, when another works on the same partitions, whoever is quicker when', async () => {
    const anyStory = fc.array(
      fc.record({
        acts: fc.array(fc.record({ step: fc.constantFrom(...Object.keys(steps)), order: fc.nat(2) }), { maxLength: 3 }),
        size: fc.integer({ min: 1, max: 10 }),
        /** How far the other comes meanwhile. */
        batches: fc.nat(4),
        otherSize: fc.integer({ min: 1, max: 10 }),
      }),
      { minLength: 1, maxLength: 5 },
    );
    const anyDelays = fc.array(fc.oneof(fc.constant(0), fc.nat(20)), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(anyStory, anyDelays, async (story, delays) => {
        const [alone, shared] = [new Bench(), new Bench()];
        const calm = new Driven(alone);
        let made = 0;
        const delay = (): Promise<void> => turns(delays[made++ % delays.length]);
        /** A way to the log on which each step takes as long as chance has it. */
        const slow = (): EventStore => {
          const store = new FaultyStore(shared.log);
          store.fate = () => delay().then(() => 'done');
          store.readStream = (...asked) => delay().then(() => shared.log.readStream(...asked));
          return store;
        };
        const [one, other] = [new Driven(shared, slow()), new Driven(shared, slow())];
        await Promise.all([alone.list(100), shared.list(100)]);
        for (const orderId of orders) {
          await alone.place(orderId);
          await shared.place(orderId);
        }
        for (const { acts, size, batches, otherSize } of [
          ...story,
          { acts: [], size: 9, batches: 1e9, otherSize: 5 },
        ]) {
          for (const { step, order } of acts) {
            await steps[step]!(alone, orders[order]!);
            await steps[step]!(shared, orders[order]!);
          }
          await calm.work(1000);
          await Promise.all([one.work(size), other.work(otherSize, batches)]);
        }
        expect(await comparable(shared)).toEqual(await comparable(alone));
        const events = await shared.events();
        expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});
