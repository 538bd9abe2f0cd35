import { expect, test } from '@jest/globals';
import { DeliveryOwners } from './delivery-owners.js';
import type { LogPages } from '../ports/event-store.js';
import { deliveryIdOf } from '../stream.js';
import { newEvent } from '../testing/new-event.js';

const delivery = (orderId: string) => `delivery-${deliveryIdOf(orderId)}`;

/** A log of one event of each stream, a page for each, and how often a page of it was read. */
class Log implements LogPages {
  reads = 0;
  constructor(readonly streams: readonly string[]) {}

  async readAll(after: number) {
    this.reads += 1;
    const stream = this.streams[after];
    const position = after + 1;
    const isEnd = position >= this.streams.length;
    if (stream === undefined) return { events: [], marks: [], through: after, isEnd };
    const partitionKey = stream.slice(stream.indexOf('-') + 1);
    const event = { ...newEvent(), stream, partitionKey, revision: 0, position, recordedAt: '' };
    return { events: [event], marks: [], through: position, isEnd };
  }
}

test.each(['order', 'payment', 'fulfilment'])('is told by the %s alone', async (category) => {
  const owners = new DeliveryOwners(new Log(['customer-o1', `${category}-o2`, `${category}-o1`]));
  expect(await owners.of([delivery('o1'), delivery('o3')])).toEqual(new Map([[delivery('o1'), 'o1']]));
});

test('no customer or product is taken for an order', async () => {
  expect(await new DeliveryOwners(new Log(['customer-o1', 'product-o1'])).of([delivery('o1')])).toEqual(new Map());
});

test('reads the log once for all, no further than it must, and not again for those that it found', async () => {
  const log = new Log(['order-o1', 'order-o2', 'order-o3']);
  const owners = new DeliveryOwners(log);
  const [one, both] = await Promise.all([owners.of([delivery('o1')]), owners.of([delivery('o1'), delivery('o2')])]);
  expect([one.size, both.size]).toEqual([1, 2]);
  expect(log.reads).toBe(1 + 2);
  expect((await owners.of([delivery('o2'), delivery('o1')])).size).toBe(2);
  expect(log.reads).toBe(3);
});

test('asks again after a failure', async () => {
  const log = new Log(['order-o1']);
  let isDown = true;
  const owners = new DeliveryOwners({
    readAll: (after) => (isDown ? Promise.reject(new Error('down')) : log.readAll(after)),
  });
  await expect(owners.of([delivery('o1')])).rejects.toThrow('down');
  isDown = false;
  expect((await owners.of([delivery('o1')])).get(delivery('o1'))).toBe('o1');
});
