import { afterEach, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { connect } from 'amqplib';
import { encode } from './envelope.js';
import { amqpUrl, describeWithServer } from './testing/server-under-test.js';
import { SetUp } from './testing/set-up.js';
import { Inbox, message, messages, Notices, range } from './testing/traffic.js';

const queue = { consumer: 'test', partition: 0 };

describeWithServer('consuming from RabbitMQ', () => {
  const setUp = new SetUp();

  afterEach(() => setUp.tearDown());

  test('a line cut while a batch is worked on brings the batch again, to the same consumer', async () => {
    const proxy = await setUp.proxy();
    const near = setUp.broker();
    await near.declare(queue, ['order']);
    await near.publish(messages(1, 30));
    const notices = new Notices();
    const far = setUp.broker({ notify: notices.add }, proxy);
    const inbox = new Inbox();
    const marks: number[] = [];
    let isWorking = false;
    const overlaps: number[] = [];
    await far.consume(queue, 10, async (batch, redelivered) => {
      if (isWorking) overlaps.push(batch.length);
      isWorking = true;
      marks.push(redelivered);
      if (marks.length === 2) {
        proxy.cut();
        await notices.atLeast(4, 'connected');
      }
      isWorking = false;
      return inbox.take(batch, redelivered);
    });
    expect(await inbox.different(30)).toEqual(range(1, 30));
    expect(inbox.positions.slice(-20)).toEqual(range(11, 30));
    expect(marks.slice(0, 3)).toEqual([0, 0, 10]);
    expect(overlaps).toEqual([]);
  });

  test('connections that were given up leave nothing behind', async () => {
    const proxy = await setUp.proxy();
    const notices = new Notices();
    const far = setUp.broker({ tuning: { heartbeatSeconds: 1 }, notify: notices.add }, proxy);
    await far.declare(queue, ['order']);
    const inbox = new Inbox();
    await far.consume(queue, 10, inbox.take);
    proxy.cut();
    await notices.atLeast(4, 'connected');
    proxy.stall();
    await notices.atLeast(6, 'lost');
    proxy.resume();
    await notices.atLeast(6, 'connected');
    await far.publish(messages(1, 10));
    expect(await inbox.different(10)).toEqual(range(1, 10));
    while (proxy.open > 2) await new Promise((resolve) => setImmediate(resolve));
    expect(inbox.positions).toEqual(range(1, 10));
  });

  test('a queue deleted under its consumer stops it, and it can be made anew', async () => {
    const notices = new Notices();
    const broker = setUp.broker({ notify: notices.add });
    await broker.declare(queue, ['order']);
    const consumer = await broker.consume(queue, 10, (batch) => batch.length);
    const stopped = expect(consumer.stopped).rejects.toThrow(Unavailable);
    await setUp.broker().remove(queue);
    await stopped;
    expect(notices.count('cancelled')).toBe(1);
    await broker.declare(queue, ['order']);
    await broker.publish([message(1)]);
    const inbox = new Inbox();
    await broker.consume(queue, 10, inbox.take);
    expect(await inbox.different(1)).toEqual([1]);
  });

  test('a queue deleted while the line is cut stops its consumer when the line is well again', async () => {
    const proxy = await setUp.proxy();
    const far = setUp.broker({ tuning: { connectTimeout: 100 } }, proxy);
    await far.declare(queue, ['order']);
    const consumer = await far.consume(queue, 10, (batch) => batch.length);
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
    await broker.publish([message(1)]);
    const { options, routingKey } = encode(message(2));
    const model = await connect(amqpUrl);
    const channel = await model.createConfirmChannel();
    channel.publish(setUp.names.names.events, routingKey, Buffer.from('{'), options);
    channel.publish(setUp.names.names.events, routingKey, Buffer.from('{}'), options);
    await channel.waitForConfirms();
    await broker.publish([message(3)]);
    const inbox = new Inbox();
    await broker.consume(queue, 10, inbox.take);
    expect(await inbox.different(2)).toEqual([1, 3]);
    expect(await broker.deadLetters()).toBe(2);
    expect(notices.of('dead-lettered').map(({ reason }) => reason)).toEqual([
      'The body is not JSON.',
      'The field "id" is not text.',
    ]);
    const letter = await channel.get(setUp.names.names.deadLetters);
    if (letter === false) throw new Error('no dead letter');
    expect(letter.content.toString()).toBe('{');
    expect(letter.fields.routingKey).toBe('0.order.OrderPlaced');
    expect(letter.properties.messageId).toBe('event-2');
    expect(letter.properties.headers).toMatchObject({
      previous: { order: 1 },
      partition: 0,
      'x-waybill-queue': setUp.names.names.queue(queue),
      'x-waybill-reason': 'The body is not JSON.',
    });
    await model.close();
  });

  test('a message that comes back more often than any default limit is still there', async () => {
    const broker = setUp.broker();
    await broker.declare(queue, ['order']);
    await broker.publish([message(1)]);
    for (let count = 0; count < 25; count += 1) {
      const consumer = await broker.consume(queue, 10, () => {
        throw new Error('not now');
      });
      await expect(consumer.stopped).rejects.toThrow('not now');
    }
    const inbox = new Inbox();
    await broker.consume(queue, 10, inbox.take);
    expect(await inbox.different(1)).toEqual([1]);
    expect(await broker.deadLetters()).toBe(0);
  });
});
