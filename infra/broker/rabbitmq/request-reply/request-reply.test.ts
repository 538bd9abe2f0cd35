import { expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { requestReplyContract } from '@waybill/shared-kernel/ports/request-reply.contract.js';
import { connect } from 'amqplib';
import { Names } from '../names.js';
import { openRabbitMqRequestReply } from './request-reply.js';
import { ScratchNames } from '../testing/scratch-names.js';
import { amqpUrl, describeWithServer, serverAddress, urlThrough } from '../testing/server-under-test.js';
import { TcpProxy } from '../../../testing/tcp-proxy.js';

describeWithServer('over a server', () => {
  const { prefix } = new ScratchNames();
  const tuning = { backOff: { first: 5, most: 50 }, closeTimeout: 300 };

  requestReplyContract('RabbitMQ', {
    open: async () => ({
      asking: openRabbitMqRequestReply({ url: amqpUrl, prefix, tuning }),
      answering: openRabbitMqRequestReply({ url: amqpUrl, prefix, tuning }),
    }),
  });

  test('a doubled answer is ignored', async () => {
    const model = await connect(amqpUrl);
    const channel = await model.createChannel();
    const queue = new Names(prefix).requests('twice');
    await channel.assertQueue(queue, { exclusive: true });
    await channel.consume(queue, (request) => {
      if (request === null) return;
      const { correlationId, replyTo } = request.properties as { correlationId: string; replyTo: string };
      for (const answer of ['1', '2']) channel.sendToQueue(replyTo, Buffer.from(answer), { correlationId });
    });
    const asking = openRabbitMqRequestReply({ url: amqpUrl, prefix, tuning });
    expect(await asking.request('twice', null, 'c-1', 20_000)).toBe(1);
    expect(await asking.request('twice', null, 'c-2', 20_000)).toBe(1);
    await asking.close();
    await model.close();
  });

  test('a cut line costs the answers under way, and the next request goes through', async () => {
    const proxy = await TcpProxy.listen(serverAddress());
    const asking = openRabbitMqRequestReply({ url: urlThrough(proxy.port), prefix, tuning });
    const answering = openRabbitMqRequestReply({ url: amqpUrl, prefix, tuning });
    let requests = 0;
    await answering.answer('cut', (body) => {
      requests += 1;
      if (requests > 1) return body;
      proxy.cut();
      return new Promise(() => undefined);
    });
    await expect(asking.request('cut', 1, 'c', 20_000)).rejects.toThrow(Unavailable);
    expect(await asking.request('cut', 2, 'c', 20_000)).toBe(2);
    await asking.close();
    await answering.close();
    await proxy.close();
  });
});
