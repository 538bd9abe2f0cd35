import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { connect } from 'amqplib';
import { inspectRabbitMq, type InspectedBroker } from './inspect.js';
import { Names } from './names.js';
import { isRabbitMqInstalled, RabbitMqServer } from './testing/rabbitmq-server.js';
import { ScratchNames } from './testing/scratch-names.js';
import { amqpUrl, describeWithServer } from './testing/server-under-test.js';

jest.setTimeout(180_000);

/** Of machines that run tests. */
const answerTimeoutMs = 20_000;
const queues = [0, 1].map((partition) => ({ consumer: 'test', partition }));

describeWithServer('a look at RabbitMQ', () => {
  let names: ScratchNames;

  beforeEach(() => {
    names = new ScratchNames();
  });

  afterEach(() => names.dispose(amqpUrl));

  const look = (compare = true): Promise<InspectedBroker> =>
    inspectRabbitMq({ url: amqpUrl, prefix: names.prefix, queues, compare, answerTimeoutMs });

  test('tells what it is, and makes no queue that is not there', async () => {
    for (let time = 0; time < 2; time += 1) {
      const { product, version, deadLetters, queues: seen, blocked } = await look();
      expect(product).toBe('RabbitMQ');
      expect(version).toMatch(/^\d+\.\d+\.\d+/);
      expect({ deadLetters, blocked }).toEqual({ deadLetters: undefined, blocked: undefined });
      expect(seen.map(({ found }) => found)).toEqual([undefined, undefined]);
    }
  });

  test('counts messages and consumers of the queues that were declared', async () => {
    const broker = names.open({ url: amqpUrl });
    for (const queue of queues) await broker.declare(queue, ['order']);
    const consumer = await broker.consume(queues[0]!, 1, () => undefined);
    const { queues: seen, deadLetters } = await look();
    expect(seen).toMatchObject([
      { queue: queues[0], found: { consumers: 1, otherwise: undefined } },
      { queue: queues[1], found: { messages: 0, consumers: 0, otherwise: undefined } },
    ]);
    expect(deadLetters).toBeUndefined();
    await consumer.close();
    await broker.close();
  });

  test('notices a queue of another kind', async () => {
    const connection = await connect(amqpUrl);
    const channel = await connection.createChannel();
    await channel.assertQueue(new Names(names.prefix).queue(queues[0]!), { durable: true });
    const { queues: seen } = await look();
    expect(seen[0]?.found?.otherwise).toMatch(/inequivalent arg/);
    expect(seen[1]?.found).toBeUndefined();
    // Where it is not to compare, it declares nothing, and so cannot bring back what is just being removed.
    expect((await look(false)).queues[0]?.found).toEqual({ messages: 0, consumers: 0, otherwise: undefined });
    await channel.deleteQueue(new Names(names.prefix).queue(queues[0]!));
    await connection.close();
  });
});

// A server of its own, because it is short of memory from the start; so it must be installed here.
const describeWithInstalled = amqpUrl !== '' && isRabbitMqInstalled ? describe : describe.skip;

describeWithInstalled('a look at RabbitMQ that is short of memory', () => {
  let server: RabbitMqServer;

  beforeAll(async () => {
    server = await RabbitMqServer.create({ 'vm_memory_high_watermark.absolute': '1' });
  });

  afterAll(() => server.dispose());

  test('says that it takes no messages, and why', async () => {
    const options = { url: server.url, queues: [], answerTimeoutMs, blockedWithinMs: answerTimeoutMs };
    expect(await inspectRabbitMq(options)).toMatchObject({ blocked: expect.stringMatching(/memory/) });
  });
});
