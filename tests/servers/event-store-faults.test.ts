import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { RabbitMqServer } from '@waybill/infra/broker/rabbitmq/testing/rabbitmq-server.js';
import {
  servers,
  standIn,
  type RunningServer,
} from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { ServerProcess } from '@waybill/infra/mongodb/testing/server-process.js';
import { TcpProxy } from '@waybill/infra/testing/tcp-proxy.js';
import { cutAfter, killed, silent } from '../support/outage.js';
import { describeWithMortalServers } from '../support/servers-under-test.js';
import { some, Trial } from '../support/trial.js';

jest.setTimeout(300_000);

describeWithMortalServers.each(servers)('under a steady load of commands, on $name', (server) => {
  /** A server that is not ours is left alone. */
  const testOnOurs = server.isShared ? test.skip : test;
  const testOnStandIn = server === standIn ? test : test.skip;
  const mongoDb = new ServerProcess();
  let rabbitMq: RabbitMqServer;
  let eventStore: RunningServer;
  let toEventStore: TcpProxy;
  let trial: Trial;

  beforeAll(async () => {
    [rabbitMq, eventStore] = await Promise.all([RabbitMqServer.create(), server.start(), mongoDb.start()]);
    const url = new URL(eventStore.url);
    toEventStore = await TcpProxy.listen({ host: url.hostname, port: Number(url.port || 2113) });
    url.host = `127.0.0.1:${toEventStore.port}`;
    trial = await Trial.begin({
      eventStore: url.href,
      broker: rabbitMq.url,
      readStore: `${mongoDb.url}/waybill?directConnection=true`,
    });
  });

  afterAll(async () => {
    await trial.deployment.dispose();
    await toEventStore.close();
    await Promise.all([eventStore.dispose(), rabbitMq.dispose(), mongoDb.dispose()]);
    process.stdout.write(`faults of the event store: ${trial.summary()}\n`);
  });

  async function refusedAndStale(): Promise<void> {
    await trial.commandsAreRefused();
    await trial.readsGrowStale();
  }

  testOnOurs('it is killed and started again; commands are refused meanwhile, and reads go on', () =>
    trial.underLoadWithout({ begin: () => eventStore.kill(), end: () => eventStore.restart() }, refusedAndStale),
  );

  test('the line to it is silent for a while; commands are refused meanwhile, and reads go on', () =>
    trial.underLoadWithout(silent(toEventStore), refusedAndStale));

  test('connections to it are cut in the middle', () =>
    trial.underLoad(async (load) => {
      for (const bytes of [2_000, 5_000, 10_000]) await cutAfter(bytes, toEventStore);
      await load.answered(some);
    }));

  testOnStandIn('appends and their answers are lost', () =>
    trial.underLoad(async (load) => {
      for (const what of ['append', 'answer', 'append', 'answer'] as const) {
        eventStore.loseNext?.(what);
        await load.answered(some / 2);
      }
    }),
  );

  test('MongoDB, which has the keys, is killed and started again; commands go on', () =>
    trial.underLoadWithout(killed(mongoDb), async (load) => {
      await load.answered(some);
      await trial.readsAreRefused();
    }));

  test('its processes stop in order when they are told to', async () => {
    for (const part of ['relay', 'projector', 'fulfilment', 'read-api', 'write-api'] as const) {
      expect([part, await trial.deployment.the(part).stop()]).toEqual([part, 0]);
    }
  });
});
