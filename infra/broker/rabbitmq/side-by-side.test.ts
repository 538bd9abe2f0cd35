import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { connect, type ChannelModel } from 'amqplib';
import { OlderBuild } from './testing/older-build.js';
import { amqpUrl, describeWithServer } from './testing/server-under-test.js';
import { SetUp } from './testing/set-up.js';
import { batches, Inbox, range } from './testing/traffic.js';

const queue = { consumer: 'orders.v1', partition: 0 };

describeWithServer('builds of before and after batches on one RabbitMQ', () => {
  const setUp = new SetUp();
  let model: ChannelModel;
  let older: OlderBuild[] = [];

  beforeEach(async () => {
    model = await connect(amqpUrl);
  });

  afterEach(async () => {
    await Promise.all(older.splice(0).map((each) => each.stop()));
    const channel = await model.createChannel();
    const { older: names } = setUp.names.names;
    for (const name of [names.queue(queue), names.deadLetters]) await channel.deleteQueue(name);
    for (const name of [names.events, names.deadLetters]) await channel.deleteExchange(name);
    await model.close();
    await setUp.tearDown();
  });

  async function startOlder(capacity?: number): Promise<OlderBuild> {
    const build = await OlderBuild.start(amqpUrl, setUp.names.names, capacity);
    older.push(build);
    return build;
  }

  /** Whether there is such a thing; asked on a channel of its own, which an answer of "no" costs. */
  async function isThere(ask: 'checkQueue' | 'checkExchange', name: string): Promise<boolean> {
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    try {
      await channel[ask](name);
      await channel.close();
      return true;
    } catch {
      return false;
    }
  }

  test('each goes on, whichever declares first, and neither stops the other', async () => {
    const before = await startOlder();
    await before.consume(queue, 'order');
    const after = setUp.broker();
    const inbox = new Inbox();
    await after.declare(queue, ['order']);
    await after.consume(queue, 10, inbox.take);
    const later = await startOlder();
    await later.consume(queue, 'order');
    await after.publish(batches(1, 20));
    await before.publish(0, 'order', 'one');
    await later.publish(0, 'order', 'two');
    expect(await inbox.different(20)).toEqual(range(1, 20));
    // The queue of before was deleted by its successor, and is there again for those that still use it.
    await until(() => new Set([...before.taken, ...later.taken]).size === 2);
    await after.declare(queue, ['order']);
    await after.publish(batches(21, 30));
    await later.publish(0, 'order', 'three');
    expect(await inbox.different(30)).toEqual(range(1, 30));
    expect([...before.faults, ...later.faults]).toEqual([]);
  });

  test('a full queue of before stops nobody after, and goes away with its successor', async () => {
    const before = await startOlder(5);
    await before.declare(queue, 'order');
    const publishing = async (): Promise<void> => {
      for (let count = 0; count < 50; count += 1) await before.publish(0, 'order', `${count}`);
    };
    await expect(publishing()).rejects.toThrow();
    const after = setUp.broker();
    await after.publish(batches(1, 20));
    await after.declare(queue, ['order']);
    expect(await isThere('checkQueue', setUp.names.names.older.queue(queue))).toBe(false);
    await publishing();
    await after.publish(batches(21, 40));
    expect(await after.depth(queue)).toBe(20);
  });

  test('when those of before are gone, nothing of theirs is left but letters that somebody may read', async () => {
    const before = await startOlder();
    await before.declare(queue, 'order');
    const channel = await model.createConfirmChannel();
    const { older: names } = setUp.names.names;
    channel.sendToQueue(names.deadLetters, Buffer.from('unread'));
    await channel.waitForConfirms();
    await before.stop();
    older = [];
    // The first finds the exchange in use; whoever begins after it does not.
    for (let time = 0; time < 2; time += 1) await setUp.broker().declare(queue, ['order']);
    expect(await isThere('checkQueue', names.queue(queue))).toBe(false);
    expect(await isThere('checkExchange', names.events)).toBe(false);
    expect(await isThere('checkQueue', names.deadLetters)).toBe(true);
    await channel.purgeQueue(names.deadLetters);
    await setUp.broker().declare(queue, ['order']);
    expect(await isThere('checkQueue', names.deadLetters)).toBe(false);
    expect(await isThere('checkExchange', names.deadLetters)).toBe(false);
  });

  test('to remove a queue removes that of before, too', async () => {
    const before = await startOlder();
    await before.declare(queue, 'order');
    await setUp.broker().remove(queue);
    expect(await isThere('checkQueue', setUp.names.names.older.queue(queue))).toBe(false);
  });
});
