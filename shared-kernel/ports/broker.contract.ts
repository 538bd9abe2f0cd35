import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Unavailable } from '../errors.js';
import { bytesOf } from '../subscriptions/event-batches.js';
import type { RecordedEvent } from '../message.js';
import { streamName, type Category } from '../stream.js';
import { runs } from '../testing/length.js';
import {
  queueBounds,
  type Broker,
  type EventBatch,
  type OnBatches,
  type QueueBounds,
  type QueueName,
} from './broker.js';

export interface BrokerUnderTest {
  /** A connection to a broker whose queues are bounded so. */
  open(bounds: QueueBounds): Promise<Broker>;
}

const roomy: QueueBounds = { ...queueBounds, maxBatches: 10_000, maxBytes: 256 * 1024 * 1024 };

function event(position: number, category: Category = 'order'): RecordedEvent {
  return {
    id: `event-${position}`,
    type: 'OrderPlaced',
    schemaVersion: 1,
    occurredAt: '2026-01-01T00:00:00.000Z',
    correlationId: 'c',
    causationId: 'c',
    partitionKey: 'o',
    data: { orderId: 'o' },
    stream: streamName(category, 'o'),
    revision: position - 1,
    position,
    recordedAt: '2026-01-01T00:00:00.000Z',
  };
}

/** The batch that ends at a position, with an event of each of these categories. */
function batch(through: number, partition = 0, categories: readonly Category[] = ['order']): EventBatch {
  return {
    partition,
    log: '1:first',
    previous: { since: 0, positions: { order: through - 1 } },
    events: categories.map((category) => event(through, category)),
    through,
  };
}

function batches(from: number, to: number, partition = 0): EventBatch[] {
  return range(from, to).map((through) => batch(through, partition));
}

/** A promise that a test settles when it is time. */
function gate<T>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** What a handler has seen, and promises of it that tests wait on. */
class Seen {
  /** `through` of each batch, as they came. */
  readonly order: number[] = [];
  #waiting: { readonly isThere: () => boolean; readonly resolve: () => void }[] = [];

  readonly all: OnBatches = (handed) => {
    for (const { through } of handed) this.order.push(through);
    this.#waiting = this.#waiting.filter(({ isThere, resolve }) => {
      if (!isThere()) return true;
      resolve();
      return false;
    });
  };

  async until(isThere: () => boolean): Promise<void> {
    if (!isThere()) await new Promise<void>((resolve) => this.#waiting.push({ isThere, resolve }));
  }

  /** Resolves when so many different ones have come, in the order in which each first came. */
  async different(count: number): Promise<readonly number[]> {
    await this.until(() => new Set(this.order).size >= count);
    return [...new Set(this.order)];
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** What every broker promises. Names are fresh in each test; a broker need not be empty. */
export function brokerContract(name: string, underTest: BrokerUnderTest): void {
  describe(`broker: ${name}`, () => {
    let broker: Broker;
    const opened: Broker[] = [];

    async function open(bounds: Partial<QueueBounds> = {}): Promise<Broker> {
      const fresh = await underTest.open({ ...roomy, ...bounds });
      opened.push(fresh);
      return fresh;
    }

    async function declare(on: Broker, partition = 0, categories: readonly Category[] = ['order']): Promise<QueueName> {
      const queue = { consumer: `test-${randomUUID()}`, partition };
      await on.declare(queue, categories);
      return queue;
    }

    beforeEach(async () => {
      broker = await open();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.close()));
    });

    test('a queue holds what is published after its declaration until it is done with, in order', async () => {
      const queue = await declare(broker);
      await broker.publish(batches(1, 250));
      await broker.publish(batches(251, 500));
      await expectDepth(broker, queue, 500);
      const seen = new Seen();
      await broker.consume(queue, 64, seen.all);
      expect(await seen.different(500)).toEqual(range(1, 500));
      await expectDepth(broker, queue, 0);
    });

    test('what is published before what was published earlier is confirmed, comes after it', async () => {
      const queue = await declare(broker);
      const seen = new Seen();
      await broker.consume(queue, 64, seen.all);
      const parts = range(0, 9).map((index) => batches(index * 50 + 1, (index + 1) * 50));
      await Promise.all(parts.map((part) => broker.publish(part)));
      expect(await seen.different(500)).toEqual(range(1, 500));
    });

    test('what is handed out is what was published', async () => {
      const queue = await declare(broker, 5);
      const published = batch(7, 5, ['order', 'delivery']);
      await broker.publish([published]);
      const handed = gate<readonly EventBatch[]>();
      await broker.consume(queue, 1, (some) => handed.open(some));
      expect(await handed.promise).toEqual([published]);
    });

    test('what was published before the declaration is not in the queue, and declaring again changes nothing', async () => {
      const early = await declare(broker);
      await broker.publish(batches(1, 3));
      const late = await declare(broker);
      await broker.declare(early, ['order']);
      await broker.publish(batches(4, 5));
      const seenEarly = new Seen();
      const seenLate = new Seen();
      await broker.consume(early, 10, seenEarly.all);
      await broker.consume(late, 10, seenLate.all);
      expect(await seenEarly.different(5)).toEqual(range(1, 5));
      expect(await seenLate.different(2)).toEqual([4, 5]);
    });

    test('a queue gets the batches of its partition alone, every queue of the partition all of them', async () => {
      const first = await declare(broker, 1);
      const second = await declare(broker, 1);
      const other = await declare(broker, 2);
      await broker.publish([batch(1, 1), batch(2, 2), batch(3, 1), batch(4, 3)]);
      await expectDepth(broker, first, 2);
      await expectDepth(broker, second, 2);
      await expectDepth(broker, other, 1);
    });

    test('a queue gets the batches with an event of its categories, of more when it is declared for more', async () => {
      const orders = await declare(broker);
      const none = await declare(broker, 0, ['product']);
      await broker.publish([batch(1), batch(2, 0, ['delivery', 'order']), batch(3, 0, ['customer']), batch(4)]);
      await expectDepth(broker, orders, 3);
      await expectDepth(broker, none, 0);
      await broker.declare(orders, ['order', 'customer']);
      await broker.publish([batch(5, 0, ['customer']), batch(6)]);
      const seen = new Seen();
      await broker.consume(orders, 10, seen.all);
      expect(await seen.different(5)).toEqual([1, 2, 4, 5, 6]);
    });

    test('a queue gets a batch once, however many of its categories are in it', async () => {
      const queue = await declare(broker, 0, ['order', 'payment', 'delivery', 'customer']);
      await broker.publish([batch(1, 0, ['customer', 'delivery', 'order', 'payment']), batch(2)]);
      await expectDepth(broker, queue, 2);
    });

    test('at most `prefetch` batches are handed out at once, and no more before they are done with', async () => {
      const queue = await declare(broker);
      await broker.publish(batches(1, 100));
      const seen = new Seen();
      const sizes: number[] = [];
      let isWorking = false;
      const overlaps: number[] = [];
      await broker.consume(queue, 7, async (some) => {
        if (isWorking) overlaps.push(some.length);
        isWorking = true;
        await Promise.resolve();
        isWorking = false;
        sizes.push(some.length);
        return seen.all(some);
      });
      await seen.different(100);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(7);
      expect(overlaps).toEqual([]);
    });

    test('a throw stops the consumer, says why, and leaves everything to the next', async () => {
      const queue = await declare(broker);
      const consumer = await broker.consume(queue, 10, () => {
        throw new Error('broken');
      });
      const stopped = expect(consumer.stopped).rejects.toThrow('broken');
      await broker.publish(batches(1, 3));
      await stopped;
      const seen = new Seen();
      await broker.consume(queue, 10, seen.all);
      expect(await seen.different(3)).toEqual([1, 2, 3]);
    });

    test('one consumer at a time; the next begins when the closing one is done', async () => {
      const queue = await declare(broker);
      await broker.publish(batches(1, 3));
      const log: string[] = [];
      const isWorking = gate<number>();
      const done = gate<undefined>();
      const first = await broker.consume(queue, 2, (some) => {
        isWorking.open(some.length);
        return done.promise;
      });
      const seen = new Seen();
      await broker.consume(queue, 3, (some) => {
        log.push('second works');
        return seen.all(some);
      });
      const handed = await isWorking.promise;
      const closed = first.close();
      log.push('first is done');
      done.open(undefined);
      await closed;
      await first.stopped;
      expect(await seen.different(3 - handed)).toEqual(range(handed + 1, 3));
      expect(log.slice(0, 2)).toEqual(['first is done', 'second works']);
    });

    test('a consumer that waits for its turn may leave', async () => {
      const queue = await declare(broker);
      const seen = new Seen();
      await broker.consume(queue, 10, seen.all);
      const waiting = await broker.consume(queue, 10, () => {
        throw new Error('not its turn');
      });
      await waiting.close();
      await waiting.stopped;
      await broker.publish(batches(1, 2));
      expect(await seen.different(2)).toEqual([1, 2]);
    });

    test('a full queue drops its oldest; who publishes neither waits nor is refused, and other queues have all', async () => {
      const small = await open({ maxBatches: 10 });
      const idle = await declare(small);
      const quick = await declare(small);
      const seenQuick = new Seen();
      await small.consume(quick, 100, seenQuick.all);
      for (const next of range(1, 100)) {
        await small.publish([batch(next)]);
        await seenQuick.different(next);
      }
      expect(await seenQuick.different(100)).toEqual(range(1, 100));
      await expectDepth(small, idle, 10);
      const seen = new Seen();
      await small.consume(idle, 3, seen.all);
      expect(await seen.different(10)).toEqual(range(91, 100));
    });

    test('what was dropped while others were worked on is no more than was too old', async () => {
      const small = await open({ maxBatches: 4 });
      const queue = await declare(small);
      await small.publish(batches(1, 3));
      const seen = new Seen();
      const isWorking = gate<undefined>();
      const done = gate<undefined>();
      await small.consume(queue, 2, async (some) => {
        isWorking.open(undefined);
        await done.promise;
        return seen.all(some);
      });
      await isWorking.promise;
      await small.publish(batches(4, 20));
      done.open(undefined);
      await seen.until(() => seen.order.includes(20));
      expect(seen.order.slice(-3)).toEqual([18, 19, 20]);
      await expectDepth(small, queue, 0);
    });

    test('a queue is bounded in bytes too', async () => {
      const maxBytes = 20 * bytesOf(event(1));
      const small = await open({ maxBytes });
      const queue = await declare(small);
      for (const next of range(1, 100)) await small.publish([batch(next)]);
      const seen = new Seen();
      await small.consume(queue, 100, seen.all);
      await seen.until(() => seen.order.includes(100));
      expect(seen.order.length).toBeLessThanOrEqual(20);
    });

    test('a queue that nobody uses goes away', async () => {
      const expiresMs = 50;
      const hasty = await open({ expiresMs });
      const queue = await declare(hasty);
      await hasty.publish([batch(1)]);
      for (let isThere = true; isThere;) {
        await new Promise((resolve) => setTimeout(resolve, expiresMs * 4));
        isThere = await hasty.depth(queue).then(
          () => true,
          () => false,
        );
      }
      await expect(hasty.consume(queue, 1, () => undefined)).rejects.toThrow('is not declared');
    });

    test('a queue that is consumed stays', async () => {
      const expiresMs = 50;
      const hasty = await open({ expiresMs });
      const [used, unused] = [await declare(hasty), await declare(hasty)];
      const seen = new Seen();
      await hasty.consume(used, 1, seen.all);
      for (let isThere = true; isThere;) {
        await new Promise((resolve) => setTimeout(resolve, expiresMs * 4));
        isThere = await hasty.depth(unused).then(
          () => true,
          () => false,
        );
      }
      await hasty.publish([batch(1)]);
      expect(await seen.different(1)).toEqual([1]);
    });

    test('a removed queue is empty when it is declared again; to remove what is not there is a no-op', async () => {
      const queue = await declare(broker);
      await broker.publish(batches(1, 10));
      await broker.remove(queue);
      await broker.remove(queue);
      await expect(broker.depth(queue)).rejects.toThrow('is not declared');
      await broker.declare(queue, ['order']);
      expect(await broker.depth(queue)).toBe(0);
    });

    test('the consumers of a removed queue stop', async () => {
      const queue = await declare(broker);
      const active = await broker.consume(queue, 1, () => undefined);
      const waiting = await broker.consume(queue, 1, () => undefined);
      await broker.remove(queue);
      await expect(Promise.all([active.stopped, waiting.stopped])).resolves.toHaveLength(2);
    });

    test('closing the broker stops its consumers when they are done, and it takes nothing more', async () => {
      const queue = await declare(broker);
      const isWorking = gate<undefined>();
      const done = gate<undefined>();
      const consumer = await broker.consume(queue, 10, () => {
        isWorking.open(undefined);
        return done.promise;
      });
      await broker.publish(batches(1, 1));
      await isWorking.promise;
      let isClosed = false;
      const closed = broker.close().then(() => {
        isClosed = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(isClosed).toBe(false);
      done.open(undefined);
      await closed;
      await consumer.stopped;
      await expect(broker.publish(batches(2, 2))).rejects.toThrow(Unavailable);
    });

    test('whatever consumers do, every batch arrives, and none is forgotten before it is done', async () => {
      await fc.assert(
        fc.asyncProperty(fc.infiniteStream(fc.nat(9)), fc.integer({ min: 1, max: 9 }), async (choices, prefetch) => {
          const queue = await declare(broker);
          const total = 60;
          const done = new Set<number>();
          const finished = gate<undefined>();
          const consumeUntilDone = async (): Promise<void> => {
            while (done.size < total) {
              const consumer = await broker.consume(queue, prefetch, async (some) => {
                const { value: choice = 1 } = choices.next() as { readonly value?: number };
                if (choice === 0) throw new Error('chance');
                if (choice < 4) await Promise.resolve();
                for (const { through } of some) done.add(through);
                if (done.size >= total) finished.open(undefined);
                else if (choice > 7) void consumer.close();
              });
              await Promise.race([Promise.allSettled([consumer.stopped]), finished.promise]);
              if (done.size >= total) await consumer.close();
            }
          };
          const consuming = consumeUntilDone();
          for (let next = 1; next <= total; next += 12) await broker.publish(batches(next, next + 11));
          await consuming;
          expect([...done].sort((one, other) => one - other)).toEqual(range(1, total));
          await broker.remove(queue);
        }),
        { numRuns: runs(15, 100) },
      );
    });
  });
}

/** The depth once everything has reached the broker. */
async function expectDepth(broker: Broker, queue: QueueName, depth: number): Promise<void> {
  while ((await broker.depth(queue)) !== depth) await new Promise((resolve) => setImmediate(resolve));
}
