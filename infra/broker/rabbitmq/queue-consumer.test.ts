import { afterEach, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { connect } from 'amqplib';
import { encode } from './envelope.js';
import { amqpUrl, describeWithServer } from './testing/server-under-test.js';
import { SetUp } from './testing/set-up.js';
import { Inbox, batch, batches, Notices, range } from './testing/traffic.js';

const queue = { consumer: 'test', partition: 0 };

describeWithServer('consuming from RabbitMQ', () => {
  const setUp = new SetUp();

  afterEach(() => setUp.tearDown());

  test('a line cut while a batch is worked on brings the batch again, to the same consumer', async () => {
    const proxy = await setUp.proxy();
    const near = setUp.broker();
    await near.declare(queue, ['order']);
    await near.publish(batches(1, 30));
    const notices = new Notices();
    const far = setUp.broker({ notify: notices.add }, proxy);
    const inbox = new Inbox();
    let works = 0;
    let isWorking = false;
    const overlaps: number[] = [];
    await far.consume(queue, 10, async (some) => {
      if (isWorking) overlaps.push(batch.length);
      isWorking = true;
      works += 1;
      if (works === 2) {
        proxy.cut();
        await notices.ofEach('connected', ['waybill consuming']);
      }
      isWorking = false;
      return inbox.take(some);
    });
    expect(await inbox.different(30)).toEqual(range(1, 30));
    expect(inbox.positions.length).toBeGreaterThan(30);
    expect(overlaps).toEqual([]);
  });

  test('connections that were given up leave nothing behind', async () => {
    const proxy = await setUp.proxy();
    const notices = new Notices();
    const far = setUp.broker({ tuning: { heartbeatSeconds: 1 }, notify: notices.add }, proxy);
    await far.declare(queue, ['order']);
    const inbox = new Inbox();
    await far.consume(queue, 10, inbox.take);
    const both = ['waybill publishing', 'waybill consuming'];
    proxy.cut();
    await notices.ofEach('connected', both);
    proxy.stall();
    await notices.ofEach('lost', both);
    const isBack = notices.ofEach('connected', both);
    proxy.resume();
    await isBack;
    await far.publish(batches(1, 10));
    expect(await inbox.different(10)).toEqual(range(1, 10));
    while (proxy.open > 2) await new Promise((resolve) => setImmediate(resolve));
    expect(inbox.positions).toEqual(range(1, 10));
  });

  test('a queue deleted under its consumer stops it, and it can be made anew', async () => {
    const notices = new Notices();
    const broker = setUp.broker({ notify: notices.add });
    await broker.declare(queue, ['order']);
    const consumer = await broker.consume(queue, 10, () => undefined);
    const stopped = expect(consumer.stopped).rejects.toThrow(Unavailable);
    await setUp.broker().remove(queue);
    await stopped;
    expect(notices.count('cancelled')).toBe(1);
    await broker.declare(queue, ['order']);
    await broker.publish([batch(1)]);
    const inbox = new Inbox();
    await broker.consume(queue, 10, inbox.take);
    expect(await inbox.different(1)).toEqual([1]);
  });

  test('a queue deleted while the line is cut stops its consumer when the line is well again', async () => {
    const proxy = await setUp.proxy();
    const far = setUp.broker({ tuning: { connectTimeout: 100 } }, proxy);
    await far.declare(queue, ['order']);
    const consumer = await far.consume(queue, 10, () => undefined);
    const stopped = expect(consumer.stopped).rejects.toThrow('is gone');
    proxy.stall();
    proxy.cut();
    await setUp.broker().remove(queue);
    proxy.resume();
    await stopped;
  });

  test('what cannot be decoded goes to the dead letters with the reason, and the others pass it by in order', async () => {
    const notices = new Notices();
    const broker = setUp.broker({ notify: notices.add });
    await broker.declare(queue, ['order']);
    expect(await broker.deadLetters()).toBe(0);
    await broker.publish([batch(1)]);
    const { options, routingKey } = encode(batch(2));
    const model = await connect(amqpUrl);
    const channel = await model.createConfirmChannel();
    channel.publish(setUp.names.names.events, routingKey, Buffer.from('{'), options);
    channel.publish(setUp.names.names.events, routingKey, Buffer.from('{}'), options);
    await channel.waitForConfirms();
    await broker.publish([batch(3)]);
    const inbox = new Inbox();
    await broker.consume(queue, 10, inbox.take);
    expect(await inbox.different(2)).toEqual([1, 3]);
    expect(await broker.deadLetters()).toBe(2);
    expect(notices.of('dead-lettered').map(({ reason }) => reason)).toEqual([
      'The body is not JSON.',
      '"log" is not text.',
    ]);
    const letter = await channel.get(setUp.names.names.deadLetters, { noAck: true });
    if (letter === false) throw new Error('no dead letter');
    expect(letter.content.toString()).toBe('{');
    expect(letter.properties.headers).toMatchObject({
      'x-waybill-routing-key': '0.order',
      'x-waybill-queue': setUp.names.names.queue(queue),
      'x-waybill-reason': 'The body is not JSON.',
    });
    await model.close();
  });

  test('the dead letters are bounded, and the latest of them stay', async () => {
    const broker = setUp.broker();
    await broker.declare(queue, ['order']);
    const model = await connect(amqpUrl);
    const channel = await model.createConfirmChannel();
    const { deadLetters, events } = setUp.names.names;
    await broker.consume(queue, 50, () => undefined);
    channel.publish(events, '0.order', Buffer.from('the first'));
    await until(async () => (await broker.deadLetters()) === 1);
    for (let count = 0; count < 1000; count += 1) channel.sendToQueue(deadLetters, Buffer.from('another'));
    await channel.waitForConfirms();
    await until(async () => (await broker.deadLetters()) === 1000);
    const oldest = await channel.get(deadLetters, { noAck: true });
    expect(oldest !== false && oldest.content.toString()).toBe('another');
    await model.close();
  });
});
