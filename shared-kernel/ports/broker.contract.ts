import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Unavailable } from '../errors.js';
import { streamName, type Category } from '../stream.js';
import type { Broker, Message, OnMessages, QueueName } from './broker.js';

export interface BrokerUnderTest {
  /** A connection to a broker whose queues hold `capacity` messages each. */
  open(capacity: number): Promise<Broker>;
}

const roomy = 10_000;

function message(number: number, partition = 0, category: Category = 'order'): Message {
  return {
    partition,
    log: '1:first',
    previous: { [category]: number - 1 },
    event: {
      id: `event-${number}`,
      type: 'OrderPlaced',
      schemaVersion: 1,
      occurredAt: '2026-01-01T00:00:00.000Z',
      correlationId: 'c',
      causationId: 'c',
      partitionKey: 'o',
      data: { orderId: 'o' },
      stream: streamName(category, 'o'),
      revision: number - 1,
      position: number,
      recordedAt: '2026-01-01T00:00:00.000Z',
    },
  };
}

function messages(from: number, to: number, partition = 0): Message[] {
  return Array.from({ length: to - from + 1 }, (_, index) => message(from + index, partition));
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
  readonly positions: number[] = [];
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  add(batch: readonly Message[]): void {
    for (const { event } of batch) this.positions.push(event.position);
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.positions.length < count) return true;
      resolve();
      return false;
    });
  }

  async atLeast(count: number): Promise<readonly number[]> {
    if (this.positions.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    }
    return this.positions;
  }

  readonly all: OnMessages = (batch) => {
    this.add(batch);
    return batch.length;
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** What every broker promises. Names are fresh in each test; a broker need not be empty. */
export function brokerContract(name: string, underTest: BrokerUnderTest): void {
  describe(`broker: ${name}`, () => {
    let broker: Broker;
    const opened: Broker[] = [];

    async function open(capacity: number): Promise<Broker> {
      const fresh = await underTest.open(capacity);
      opened.push(fresh);
      return fresh;
    }

    async function declare(on: Broker, partition = 0, categories: readonly Category[] = ['order']): Promise<QueueName> {
      const queue = { consumer: `test-${randomUUID()}`, partition };
      await on.declare(queue, categories);
      return queue;
    }

    beforeEach(async () => {
      broker = await open(roomy);
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.close()));
    });

    test('a queue holds what is published after its declaration until it is done with, in order', async () => {
      const queue = await declare(broker);
      await broker.publish(messages(1, 500));
      await broker.publish(messages(501, 1000));
      expect(await broker.depth(queue)).toBe(1000);
      const seen = new Seen();
      await broker.consume(queue, 64, seen.all);
      expect(await seen.atLeast(1000)).toEqual(range(1, 1000));
      await expectDepth(broker, queue, 0);
    });

    test('what is published before what was published earlier is confirmed, comes after it', async () => {
      const queue = await declare(broker);
      const seen = new Seen();
      await broker.consume(queue, 64, seen.all);
      const hundreds = Array.from({ length: 10 }, (_, index) => messages(index * 100 + 1, (index + 1) * 100));
      await Promise.all(hundreds.map((hundred) => broker.publish(hundred)));
      expect(await seen.atLeast(1000)).toEqual(range(1, 1000));
    });

    test('what is handed out is what was published', async () => {
      const queue = await declare(broker, 5);
      await broker.publish([message(1, 5)]);
      const handed = gate<readonly Message[]>();
      await broker.consume(queue, 1, (batch) => {
        handed.open(batch);
        return batch.length;
      });
      expect(await handed.promise).toEqual([message(1, 5)]);
    });

    test('what was published before the declaration is not in the queue, and declaring again changes nothing', async () => {
      const early = await declare(broker);
      await broker.publish(messages(1, 3));
      const late = await declare(broker);
      await broker.declare(early, ['order']);
      await broker.publish(messages(4, 5));
      const seenEarly = new Seen();
      const seenLate = new Seen();
      await broker.consume(early, 10, seenEarly.all);
      await broker.consume(late, 10, seenLate.all);
      expect(await seenEarly.atLeast(5)).toEqual(range(1, 5));
      expect(await seenLate.atLeast(2)).toEqual([4, 5]);
    });

    test('a queue gets the messages of its partition alone, every queue of the partition all of them', async () => {
      const first = await declare(broker, 1);
      const second = await declare(broker, 1);
      const other = await declare(broker, 2);
      await broker.publish([message(1, 1), message(2, 2), message(3, 1), message(4, 3)]);
      expect(await broker.depth(first)).toBe(2);
      expect(await broker.depth(second)).toBe(2);
      expect(await broker.depth(other)).toBe(1);
    });

    test('a queue gets the messages of its categories alone, of more when it is declared for more', async () => {
      const orders = await declare(broker);
      const both = await declare(broker, 0, ['order', 'delivery']);
      const none = await declare(broker, 0, ['product']);
      await broker.publish([message(1), message(2, 0, 'delivery'), message(3, 0, 'customer'), message(4)]);
      expect(await broker.depth(orders)).toBe(2);
      expect(await broker.depth(both)).toBe(3);
      expect(await broker.depth(none)).toBe(0);
      await broker.declare(orders, ['order', 'customer']);
      await broker.publish([message(5, 0, 'customer'), message(6)]);
      const seen = new Seen();
      await broker.consume(orders, 10, seen.all);
      expect(await seen.atLeast(4)).toEqual([1, 4, 5, 6]);
    });

    test('at most `prefetch` messages are handed out at once, and no more before the answer', async () => {
      const queue = await declare(broker);
      await broker.publish(messages(1, 100));
      const seen = new Seen();
      const sizes: number[] = [];
      let isWorking = false;
      const overlaps: number[] = [];
      await broker.consume(queue, 7, async (batch) => {
        if (isWorking) overlaps.push(batch.length);
        isWorking = true;
        await Promise.resolve();
        isWorking = false;
        sizes.push(batch.length);
        seen.add(batch);
        return batch.length;
      });
      await seen.atLeast(100);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(7);
      expect(overlaps).toEqual([]);
    });

    test('what an answer leaves out comes again, marked, before what is younger', async () => {
      const queue = await declare(broker);
      await broker.publish(messages(1, 4));
      const calls: { positions: number[]; redelivered: number }[] = [];
      const seen = new Seen();
      await broker.consume(queue, 4, async (batch, redelivered) => {
        calls.push({ positions: batch.map(({ event }) => event.position), redelivered });
        if (calls.length === 1) await broker.publish(messages(5, 6));
        const done = calls.length === 1 ? 1 : batch.length;
        seen.add(batch.slice(0, done));
        return done;
      });
      expect(await seen.atLeast(6)).toEqual(range(1, 6));
      expect(calls[0]).toEqual({ positions: [1, 2, 3, 4], redelivered: 0 });
      expect(calls[1]?.positions.slice(0, 3)).toEqual([2, 3, 4]);
      expect(calls[1]?.redelivered).toBe(3);
    });

    test('a throw stops the consumer, says why, and leaves everything to the next', async () => {
      const queue = await declare(broker);
      const consumer = await broker.consume(queue, 10, () => {
        throw new Error('broken');
      });
      const stopped = expect(consumer.stopped).rejects.toThrow('broken');
      await broker.publish(messages(1, 3));
      await stopped;
      const seen = new Seen();
      const marks: number[] = [];
      await broker.consume(queue, 10, (batch, redelivered) => {
        marks.push(redelivered);
        return seen.all(batch, redelivered);
      });
      expect(await seen.atLeast(3)).toEqual([1, 2, 3]);
      expect(marks[0]).toBeGreaterThan(0);
    });

    test.each([-1, 2, 0.5, Number.NaN])(
      'an answer of %d for one message is a fault of the consumer',
      async (answer) => {
        const queue = await declare(broker);
        const consumer = await broker.consume(queue, 1, () => answer);
        const stopped = expect(consumer.stopped).rejects.toThrow(RangeError);
        await broker.publish(messages(1, 1));
        await stopped;
        await expectDepth(broker, queue, 1);
      },
    );

    test('one consumer at a time; the next begins when the closing one has answered', async () => {
      const queue = await declare(broker);
      await broker.publish(messages(1, 3));
      const log: string[] = [];
      const isWorking = gate<undefined>();
      const answer = gate<number>();
      const first = await broker.consume(queue, 3, () => {
        isWorking.open(undefined);
        return answer.promise;
      });
      const seen = new Seen();
      await broker.consume(queue, 3, (batch, redelivered) => {
        log.push(`second works on ${batch.length}, ${redelivered} again`);
        return seen.all(batch, redelivered);
      });
      await isWorking.promise;
      const closed = first.close();
      log.push('first answers');
      answer.open(2);
      await closed;
      await first.stopped;
      expect(await seen.atLeast(1)).toEqual([3]);
      expect(log).toEqual(['first answers', 'second works on 1, 1 again']);
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
      await broker.publish(messages(1, 2));
      expect(await seen.atLeast(2)).toEqual([1, 2]);
    });

    test('publish waits while a queue is full, and goes on as it empties', async () => {
      const small = await open(10);
      const slow = await declare(small);
      const quick = await declare(small);
      const seenQuick = new Seen();
      await small.consume(quick, 100, seenQuick.all);
      let isPublished = false;
      const published = small.publish(messages(1, 100)).then(() => {
        isPublished = true;
      });
      await seenQuick.atLeast(10);
      expect(isPublished).toBe(false);
      expect(await small.depth(slow)).toBeLessThanOrEqual(10);
      const seenSlow = new Seen();
      await small.consume(slow, 3, seenSlow.all);
      await published;
      expect(await seenSlow.atLeast(100)).toEqual(range(1, 100));
      expect(await seenQuick.atLeast(100)).toEqual(range(1, 100));
    });

    test('removing a full queue lets publish go on', async () => {
      const small = await open(2);
      const queue = await declare(small);
      const published = small.publish(messages(1, 10));
      await small.remove(queue);
      await published;
      await small.declare(queue, ['order']);
      expect(await small.depth(queue)).toBe(0);
    });

    test('the consumers of a removed queue stop', async () => {
      const queue = await declare(broker);
      const active = await broker.consume(queue, 1, (batch) => batch.length);
      const waiting = await broker.consume(queue, 1, (batch) => batch.length);
      await broker.remove(queue);
      await expect(Promise.all([active.stopped, waiting.stopped])).resolves.toHaveLength(2);
    });

    test('closing the broker stops its consumers when they have answered, and it takes nothing more', async () => {
      const queue = await declare(broker);
      const isWorking = gate<undefined>();
      const answer = gate<number>();
      const consumer = await broker.consume(queue, 10, () => {
        isWorking.open(undefined);
        return answer.promise;
      });
      await broker.publish(messages(1, 1));
      await isWorking.promise;
      let isClosed = false;
      const closed = broker.close().then(() => {
        isClosed = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(isClosed).toBe(false);
      answer.open(1);
      await closed;
      await consumer.stopped;
      await expect(broker.publish(messages(2, 2))).rejects.toThrow(Unavailable);
    });

    test('closing the broker ends a publish that waits', async () => {
      const small = await open(1);
      await declare(small);
      const published = expect(small.publish(messages(1, 2))).rejects.toThrow(Unavailable);
      await small.close();
      await published;
    });

    test('whatever consumers do, every message arrives, and none is forgotten before it is done', async () => {
      await fc.assert(
        fc.asyncProperty(fc.infiniteStream(fc.nat(9)), fc.integer({ min: 1, max: 9 }), async (choices, prefetch) => {
          const queue = await declare(broker);
          const total = 60;
          const done: number[] = [];
          const finished = gate<undefined>();
          const choose = (): number => {
            const next = choices.next();
            return next.done === true ? 0 : next.value;
          };
          const consumeUntilDone = async (): Promise<void> => {
            while (done.length < total) {
              const consumer = await broker.consume(queue, prefetch, async (batch) => {
                const choice = choose();
                if (choice === 0) throw new Error('chance');
                if (choice < 4) await Promise.resolve();
                const count = choice % 2 === 0 ? Math.min(choose(), batch.length) : batch.length;
                for (const { event } of batch.slice(0, count)) done.push(event.position);
                if (done.length >= total) finished.open(undefined);
                else if (choice > 7) void consumer.close();
                return count;
              });
              await Promise.race([Promise.allSettled([consumer.stopped]), finished.promise]);
              if (done.length >= total) await consumer.close();
            }
          };
          const consuming = consumeUntilDone();
          for (let next = 1; next <= total; next += 12) await broker.publish(messages(next, next + 11));
          await consuming;
          expect(done).toEqual(range(1, total));
          await expectDepth(broker, queue, 0);
          await broker.remove(queue);
        }),
        { numRuns: 50 },
      );
    });
  });
}

/** The depth once the last answer has reached the broker. */
async function expectDepth(broker: Broker, queue: QueueName, depth: number): Promise<void> {
  for (;;) {
    if ((await broker.depth(queue)) === depth) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
