import { afterEach, expect, test } from '@jest/globals';
import { queueBounds } from '@waybill/shared-kernel/ports/broker.js';
import { connect } from 'amqplib';
import { amqpUrl, describeWithServer } from './testing/server-under-test.js';
import { SetUp } from './testing/set-up.js';
import { Inbox, batch, batches, Notices, range } from './testing/traffic.js';

const queue = { consumer: 'test', partition: 0 };

describeWithServer('publishing to RabbitMQ', () => {
  const setUp = new SetUp();

  afterEach(() => setUp.tearDown());

  test('a line cut again and again in the middle of publishing loses nothing', async () => {
    const proxy = await setUp.proxy();
    const near = setUp.broker();
    const far = setUp.broker({}, proxy);
    await near.declare(queue, ['order']);
    const inbox = new Inbox();
    await near.consume(queue, 100, inbox.take);
    const total = 2000;
    for (let next = 1; next <= total; next += 200) {
      // In the middle of the 200, and of a message.
      if (next % 400 === 1) proxy.cutAfter(40_000 + next);
      await far.publish(batches(next, next + 199));
    }
    expect((await inbox.different(total)).toSorted((a, b) => a - b)).toEqual(range(1, total));
    expect(proxy.cuts).toBe(5);
  });

  test('what is published while there is no connection goes out, in order, when there is one', async () => {
    const proxy = await setUp.proxy();
    const near = setUp.broker();
    await near.declare(queue, ['order']);
    const notices = new Notices();
    proxy.stall();
    const far = setUp.broker({ tuning: { connectTimeout: 100 }, notify: notices.add }, proxy);
    const published = far.publish(batches(1, 100));
    await notices.atLeast(2, 'lost');
    proxy.resume();
    await published;
    const inbox = new Inbox();
    await near.consume(queue, 100, inbox.take);
    expect(await inbox.different(100)).toEqual(range(1, 100));
  });

  test('a silent line is noticed by missing heartbeats, and what was under way is sent on another', async () => {
    const proxy = await setUp.proxy();
    const near = setUp.broker();
    const notices = new Notices();
    const far = setUp.broker({ tuning: { heartbeatSeconds: 1 }, notify: notices.add }, proxy);
    await near.declare(queue, ['order']);
    await far.publish(batches(1, 10));
    proxy.stall();
    const published = far.publish(batches(11, 20));
    await notices.atLeast(1, 'lost');
    proxy.resume();
    await published;
    const inbox = new Inbox();
    await near.consume(queue, 100, inbox.take);
    expect((await inbox.different(20)).toSorted((a, b) => a - b)).toEqual(range(1, 20));
  });

  test('a slow line carries everything, in order', async () => {
    const proxy = await setUp.proxy();
    proxy.delay(10);
    const far = setUp.broker({}, proxy);
    await far.declare(queue, ['order']);
    const inbox = new Inbox();
    await far.consume(queue, 100, inbox.take);
    await far.publish(batches(1, 500));
    expect(await inbox.different(500)).toEqual(range(1, 500));
  });

  test('a full queue that another process declared holds up nobody', async () => {
    const owner = setUp.broker({ tuning: { bounds: { ...queueBounds, maxBatches: 20 } } });
    await owner.declare(queue, ['order']);
    const notices = new Notices();
    const stranger = setUp.broker({ notify: notices.add });
    await stranger.publish(batches(1, 500));
    expect(notices.count('lost')).toBe(0);
    const inbox = new Inbox();
    await owner.consume(queue, 10, inbox.take);
    await inbox.including(500);
    expect(inbox.positions.length).toBeLessThan(100);
  });

  test('an error of the channel costs the channel alone', async () => {
    const notices = new Notices();
    const broker = setUp.broker({ notify: notices.add });
    await broker.publish([batch(1)]);
    const model = await connect(amqpUrl);
    await (await model.createChannel()).deleteExchange(setUp.names.names.events);
    await model.close();
    await broker.publish([batch(2)]);
    expect(notices.of('lost').map(({ connection, reason }) => [connection, 'code' in reason && reason.code])).toEqual([
      ['publishing channel', 404],
    ]);
    expect(notices.count('connected')).toBe(2);
  });

  test('what meets no queue is confirmed all the same', async () => {
    await setUp.broker().publish([batch(1, 5), batch(2)]);
  });

  test('without a confirm for long, what is under way is published again', async () => {
    const proxy = await setUp.proxy();
    const near = setUp.broker();
    await near.declare(queue, ['order']);
    const notices = new Notices();
    const far = setUp.broker({ tuning: { confirmTimeout: 100 }, notify: notices.add }, proxy);
    await far.publish([batch(1)]);
    proxy.stall();
    const published = far.publish([batch(2)]);
    await notices.atLeast(1, 'unconfirmed');
    proxy.resume();
    await published;
    await notices.atLeast(1, 'lost');
    const inbox = new Inbox();
    await near.consume(queue, 10, inbox.take);
    expect(await inbox.different(2)).toEqual([1, 2]);
  });
});
