import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { seededRandomness } from '@waybill/infra/clock/seeded.js';
import { systemTimer } from '@waybill/infra/clock/system.js';
import { HeadWatch } from '@waybill/shared-kernel/subscriptions/watch-head.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { consumePartition } from '@waybill/shared-kernel/subscriptions/consume-partition.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { everyPartition, type PartitionWork } from '@waybill/shared-kernel/partitions/assignment.js';
import { EventFromTheFuture } from '@waybill/shared-kernel/errors.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { startRelay } from '../relay/relay.js';
import { FaultyStore, type Fate } from '../testing/faulty-store.js';
import { fulfilmentConsumer, fulfilmentOf, runFulfilment, sharedByPartitions } from './run-fulfilment.js';
import { Bench, Driven, types } from './testing/fulfilment-bench.js';
import { at } from '@waybill/shared-kernel/testing/at.js';
import { identityOf } from '@waybill/shared-kernel/testing/relay-by-hand.js';
import { after, logBeginning, Trail } from '@waybill/shared-kernel/subscriptions/log-position.js';

const begun = ['FulfilmentStarted', 'FulfilmentPaymentRequested'];
const requested = [...begun, 'FulfilmentPaymentSettled', 'FulfilmentDeliveryRequested'];

describe('fulfilment', () => {
  test('from the log over the broker: a placed order is confirmed and its delivery scheduled', async () => {
    const bench = new Bench();
    const broker = openMemoryBroker();
    const headWatch = new HeadWatch({ store: bench.log, timer: systemTimer });
    const relay = startRelay({
      broker,
      store: bench.log,
      checkpoints: bench.readStore,
      timer: systemTimer,
      randomness: seededRandomness('relay'),
    });
    const running = runFulfilment({
      ...bench.dependencies(),
      broker,
      identity: () => identityOf(bench.log),
      headWatch,
      timer: systemTimer,
      assign: everyPartition,
    });
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
      expect(saved.through).toBeGreaterThanOrEqual(position);
    }
  });

  test('says of each partition how far it has come, and what pauses it', async () => {
    const bench = new Bench();
    await bench.place('o1');
    const { store } = bench.dependencies();
    const works: PartitionWork[] = [];
    const running = runFulfilment({
      ...bench.dependencies(),
      broker: openMemoryBroker(),
      identity: () => identityOf(bench.log),
      headWatch: new HeadWatch({ store: bench.log, timer: systemTimer }),
      store: {
        ...store,
        readAll: async (...asked) => {
          const page = await store.readAll(...asked);
          return { ...page, events: page.events.map((event) => ({ ...event, schemaVersion: 9 })) };
        },
      },
      assign: (group, work) =>
        everyPartition(group, (partition) => {
          works[partition] = work(partition);
          return works[partition];
        }),
    });
    const [partition, another] = [partitionOf('o1'), (partitionOf('o1') + 1) % partitionCount];
    await until(() => running.states()[partition]?.mode === 'paused');
    await until(() => running.states()[another]?.mode === 'following');
    const name = `${fulfilmentConsumer}/${partition}`;
    expect(works[partition]!.progress?.()).toEqual([
      { name, position: 0, isUpToDate: false, fault: expect.any(EventFromTheFuture) },
    ]);
    expect(works[another]!.progress?.()).toMatchObject([{ isUpToDate: true }]);
    await running.stop();
  });

  test('down, with its queues full, it stops nobody, and catches up from the log when it is back', async () => {
    const bench = new Bench();
    const broker = openMemoryBroker({ maxBatches: 1 });
    const headWatch = new HeadWatch({ store: bench.log, timer: systemTimer });
    const identity = () => identityOf(bench.log);
    const dependencies = {
      ...bench.dependencies(),
      broker,
      identity,
      headWatch,
      clock: bench.clock,
      timer: systemTimer,
    };
    const run = () => runFulfilment({ ...dependencies, assign: everyPartition });
    const first = run();
    await until(() => first.states().every(({ mode }) => mode === 'following'));
    await first.stop();
    const placed = new Set<string>();
    const others = Array.from({ length: partitionCount }, (_, partition) => {
      const apply = async (events: readonly RecordedEvent[]): Promise<void> => {
        for (const { partitionKey } of events) placed.add(partitionKey);
      };
      const target = {
        consumer: 'orders.v1',
        partition,
        categories: ['order'] as const,
        position: async () => logBeginning,
        apply,
        doubt: async () => {},
      };
      return consumePartition(target, dependencies);
    });
    const relay = startRelay({ ...dependencies, store: bench.log, checkpoints: bench.readStore });
    const orders = Array.from({ length: 50 }, (_, index) => `o${index}`);
    for (const orderId of orders) await bench.place(orderId);
    await until(() => placed.size === orders.length);
    await until(async () => relay.position() === (await bench.log.head()));
    const running = run();
    await until(async () => {
      await bench.payments.settle();
      return (await bench.events()).length === 400;
    });
    await Promise.all([running.stop(), relay.stop(), ...others.map((other) => other.stop())]);
    await broker.close();
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
    const dependencies = bench.dependencies();
    const target = fulfilmentOf(0, dependencies, sharedByPartitions(dependencies));
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
    await target.apply(await bench.events(), at(3));
    expect(most).toBe(3);
  });

  test('moves its position only behind what is done', async () => {
    const bench = new Bench();
    await bench.place('o1');
    await bench.place('o2');
    const events = await bench.events();
    const dependencies = bench.dependencies();
    const shared = sharedByPartitions(dependencies);
    const { late } = shared;
    const target = fulfilmentOf(0, dependencies, shared);
    bench.store.fate = (stream) => (stream === 'fulfilment-o1' ? 'lost' : 'done');
    const behindBoth = after(events.at(-1)!);
    await expect(target.apply(events, behindBoth)).rejects.toThrow('The append was lost');
    await late.flush(0);
    expect((await target.position()).through).toBe(0);
    expect(types(await bench.histories(), 'fulfilment-o2')).toEqual(begun);
    bench.store.fate = () => 'done';
    await target.apply(events, behindBoth);
    await late.flush(0);
    expect(await target.position()).toEqual(behindBoth);
    expect(types(await bench.histories(), 'fulfilment-o1')).toEqual(begun);
  });

  test('begins where both logs are the same, though further on was not saved yet when the older log was put back', async () => {
    const bench = new Bench();
    await bench.place('o1');
    const backup = await bench.events();
    for (const orderId of ['o2', 'o3']) await bench.place(orderId);
    const events = await bench.events();
    let log: EventStore = bench.log;
    const store = new Proxy(bench.log, {
      get: (_, name: keyof EventStore) => (log[name] as (...asked: unknown[]) => unknown).bind(log),
    });
    const dependencies = bench.dependencies(store);
    const shared = sharedByPartitions(dependencies);
    const partition = (partitionOf('o1') + 1) % partitionCount;
    const target = fulfilmentOf(partition, dependencies, shared);
    await target.position();
    const trail = Trail.from(logBeginning);
    await target.apply([], trail.pass(events, 2).position());
    await shared.late.flush(partition);
    await target.apply([], trail.pass(events, 3).position());
    log = new MemoryEventStore(bench.clock);
    for (const { stream, revision, position: _, recordedAt: __, ...event } of backup) {
      await log.append(stream, revision - 1, [event]);
    }
    expect((await target.position()).through).toBe(1);
    await shared.late.flush(partition);
    expect((await bench.readStore.consumerPosition(fulfilmentConsumer, partition)).through).toBe(1);
  });

  test('knows nothing more of the stock of a log in whose place an older one was put', async () => {
    const bench = new Bench();
    await bench.list(1);
    let log: EventStore = bench.log;
    const store = new Proxy(bench.log, {
      get: (_, name: keyof EventStore) => (log[name] as (...asked: unknown[]) => unknown).bind(log),
    });
    const dependencies = bench.dependencies(store);
    const shared = sharedByPartitions(dependencies);
    const target = fulfilmentOf(0, dependencies, shared);
    await target.position();
    const cause = { ...(await bench.events())[0]!, traceparent: undefined, actor: undefined, request: undefined };
    const items = [{ productId: 'p1', quantity: 1 }];
    expect(await shared.stock.reserve('o1', items, cause)).toEqual({ reserved: items });
    const events = await bench.events();
    await target.apply([], Trail.from(logBeginning).pass(events, events.length).position());
    const restored = new Bench();
    await restored.list(1);
    ({ log } = restored);
    await target.position();
    expect(await shared.stock.reserve('o2', items, cause)).toEqual({ reserved: items });
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
    const { through } = await bench.readStore.consumerPosition('fulfilment', partitionOf('o1'));
    expect(through).toBe((await bench.events()).at(-1)!.position);
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

  /** Of two that work at once the one may note the payment first, the other the stock: what is noted is the same. */
  const unordered = async (bench: Bench) => {
    const { histories, ...rest } = await comparable(bench);
    const noted = Object.entries(histories).map(([stream, events]) => [
      stream,
      stream.startsWith('fulfilment-')
        ? events.map(({ type, data }) => `${type} ${JSON.stringify(data)}`).toSorted()
        : events,
    ]);
    return { ...rest, histories: Object.fromEntries(noted) as unknown };
  };

  const anyFate = fc.constantFrom<Fate>('done', 'done', 'lost', 'unheard', 'cut off');
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
      { numRuns: runs(15, 200) },
    );
  });

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
        expect(await unordered(shared)).toEqual(await unordered(alone));
        const events = await shared.events();
        expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
      }),
      {
        numRuns: runs(8, 100),
        // The payment is settled first by one, the stock released first by the other.
        examples: [
          [
            [
              { acts: [{ step: 'cancelled', order: 2 }], size: 3, batches: 2, otherSize: 3 },
              { acts: [], size: 1, batches: 0, otherSize: 1 },
            ],
            [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
          ],
        ],
      },
    );
  });
});
