import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { until } from '@waybill/shared-kernel/testing/until.js';
import type { RabbitMqBroker } from './broker.js';
import { isRabbitMqInstalled, RabbitMqServer } from './testing/rabbitmq-server.js';
import { ScratchNames } from './testing/scratch-names.js';
import { amqpUrl } from './testing/server-under-test.js';
import { Inbox, batch, batches, Notices, range } from './testing/traffic.js';

const queue = { consumer: 'test', partition: 0 };

jest.setTimeout(180_000);

// A server of its own, because it is killed; so it must be installed here.
const describeWithInstalled = amqpUrl !== '' && isRabbitMqInstalled ? describe : describe.skip;

describeWithInstalled('a RabbitMQ server in trouble', () => {
  let server: RabbitMqServer;
  let notices: Notices;
  let broker: RabbitMqBroker;

  function open(): RabbitMqBroker {
    notices = new Notices();
    const bounds = { maxBatches: 100_000, maxBytes: 2 ** 30, expiresMs: 600_000 };
    const tuning = { backOff: { first: 20, most: 200 }, bounds };
    broker = new ScratchNames().open({ url: server.url, tuning, notify: notices.add });
    return broker;
  }

  beforeAll(async () => {
    server = await RabbitMqServer.create();
  });

  afterEach(() => broker.close());

  afterAll(() => server.dispose());

  test('killed in the middle of publishing and started again, it has everything that was confirmed and gets the rest', async () => {
    open();
    await broker.declare(queue, ['order']);
    let published = 0;
    let isKilled = false;
    const isOver = (): boolean => isKilled && published % 2000 === 0;
    const publishing = (async () => {
      while (!isOver()) {
        await broker.publish(batches(published + 1, published + 50));
        published += 50;
      }
    })();
    await server.kill();
    isKilled = true;
    await notices.atLeast(2, 'lost');
    await server.start();
    await publishing;
    const inbox = new Inbox();
    await broker.consume(queue, 100, inbox.take);
    expect((await inbox.different(published)).toSorted((a, b) => a - b)).toEqual(range(1, published));
  });

  test('killed under a consumer and started again, it is consumed from by the same consumer', async () => {
    open();
    await broker.declare(queue, ['order']);
    await broker.publish(batches(1, 100));
    const inbox = new Inbox();
    let works = 0;
    let isDead!: () => void;
    const dead = new Promise<void>((resolve) => {
      isDead = resolve;
    });
    await broker.consume(queue, 10, async (some) => {
      works += 1;
      if (works === 3) {
        await server.kill();
        isDead();
      }
      return inbox.take(some);
    });
    await dead;
    await server.start();
    expect(await inbox.different(100)).toEqual(range(1, 100));
    await broker.publish([batch(101)]);
    expect(await inbox.different(101)).toEqual(range(1, 101));
  });

  test('short of memory, it is left in peace by the publisher, and consumers go on', async () => {
    open();
    await broker.declare(queue, ['order']);
    await broker.publish(batches(1, 10));
    await server.control('set_vm_memory_high_watermark', 'absolute', '1');
    let isPublished = false;
    // It says so to those that publish.
    const published = broker.publish([batch(11)]).then(() => {
      isPublished = true;
    });
    await notices.atLeast(1, 'blocked');
    const more = broker.publish(batches(12, 20));
    const inbox = new Inbox();
    await broker.consume(queue, 10, inbox.take);
    expect(await inbox.different(10)).toEqual(range(1, 10));
    expect(isPublished).toBe(false);
    await server.control('set_vm_memory_high_watermark', '0.6');
    await Promise.all([published, more]);
    expect(notices.count('unblocked')).toBe(1);
    expect(await inbox.different(20)).toEqual(range(1, 20));
  });

  test('a batch that takes longer than the server bears costs its channel, and comes again', async () => {
    await server.control('eval', 'application:set_env(rabbit, channel_tick_interval, 100).');
    await server.control('eval', 'application:set_env(rabbit, consumer_timeout, 100).');
    open();
    await broker.declare(queue, ['order']);
    await broker.publish(batches(1, 10));
    const inbox = new Inbox();
    let works = 0;
    await broker.consume(queue, 10, async (some) => {
      works += 1;
      if (works === 1) await notices.atLeast(1, 'lost');
      return inbox.take(some);
    });
    await notices.atLeast(1, 'lost');
    expect(notices.of('lost')[0]?.connection).toMatch(/^consumer of /);
    expect(await inbox.different(10)).toEqual(range(1, 10));
    await until(() => inbox.positions.length > 10);
  });
});
